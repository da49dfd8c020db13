import type { Panel } from '../../core/workspace.svelte';
import Variables from './Variables.svelte';

export const panel: Panel = {
  id: 'variables',
  title: 'Variables',
  help: 'Parameters and locals of the function of the frame that is looked at; structures open in place.',
  component: Variables,
};
