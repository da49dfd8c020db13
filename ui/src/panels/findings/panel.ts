import type { Panel } from '../../core/workspace.svelte';
import Findings from './Findings.svelte';

export const panel: Panel = {
  id: 'findings',
  title: 'Findings',
  help: 'What a fuzzer found; each opens a little before its violation.',
  component: Findings,
};
