import type { Panel } from '../../core/workspace.svelte';
import Stack from './Stack.svelte';

export const panel: Panel = {
  id: 'stack',
  title: 'Stack',
  help: 'Frames across rings and VTLs, and the words of the stack with what they lead to.',
  component: Stack,
};
