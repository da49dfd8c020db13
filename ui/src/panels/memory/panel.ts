import type { Panel } from '../../core/workspace.svelte';
import Memory from './Memory.svelte';

export const panel: Panel = {
  id: 'memory',
  title: 'Memory',
  help: 'Bytes as each world sees them: virtual addresses of either VTL, guest physical, system physical. ?? is denied, -- is not there.',
  component: Memory,
  several: true,
};
