import type { Panel } from '../../core/workspace.svelte';
import Registers from './Registers.svelte';

export const panel: Panel = {
  id: 'registers',
  title: 'Registers',
  help: 'Registers of VTL 0 and VTL 1 side by side, what changed, and what they were. A click selects one: < and > lead to its writes.',
  component: Registers,
};
