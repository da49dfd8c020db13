import type { Panel } from '../../core/workspace.svelte';
import Console from './Console.svelte';

export const panel: Panel = {
  id: 'console',
  title: 'Console',
  help: 'The commands of the kernel debugger, with completion; and what was done on this page, as a script.',
  component: Console,
};
