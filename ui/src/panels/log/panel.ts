import type { Panel } from '../../core/workspace.svelte';
import Log from './Log.svelte';

export const panel: Panel = {
  id: 'log',
  title: 'Log',
  help: 'Hypercalls, secure calls and all other events, with a query that takes some of them.',
  component: Log,
};
