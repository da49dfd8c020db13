import type { Panel } from '../../core/workspace.svelte';
import Calls from './Calls.svelte';

export const panel: Panel = {
  id: 'calls',
  title: 'Calls',
  help: 'The calls between the worlds as one tree, with what each took; the one that the focus is in is open.',
  component: Calls,
};
