import type { Panel } from '../../core/workspace.svelte';
import Source from './Source.svelte';

export const panel: Panel = {
  id: 'source',
  title: 'Source',
  help: 'The source file of the function at the focus, with breakpoints by line and marks of what was executed.',
  component: Source,
};
