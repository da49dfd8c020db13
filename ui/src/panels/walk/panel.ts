import type { Panel } from '../../core/workspace.svelte';
import Walk from './Walk.svelte';

export const panel: Panel = {
  id: 'walk',
  title: 'Page walk',
  help: 'How an address becomes memory: every entry of both stages, the rights of each VTL, and the entry and rule that refused.',
  component: Walk,
  several: true,
};
