import type { Panel } from '../../core/workspace.svelte';
import Output from './Output.svelte';

export const panel: Panel = {
  id: 'output',
  title: 'Output',
  help: 'What guests printed, and when.',
  component: Output,
};
