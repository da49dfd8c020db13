import type { Panel } from '../../core/workspace.svelte';
import Code from './Code.svelte';

export const panel: Panel = {
  id: 'code',
  title: 'Disassembly',
  help: 'The instructions around the focus, of the VTL that is looked at, with what was executed before and what comes next.',
  component: Code,
  several: true,
};
