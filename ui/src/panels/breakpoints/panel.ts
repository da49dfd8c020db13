import type { Panel } from '../../core/workspace.svelte';
import Breakpoints from './Breakpoints.svelte';

export const panel: Panel = {
  id: 'breakpoints',
  title: 'Breakpoints',
  help: 'What may end a motion: code, memory, registers, VTLs, and events by a list of boxes, each with a condition.',
  component: Breakpoints,
};
