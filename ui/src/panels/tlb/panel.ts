import type { Panel } from '../../core/workspace.svelte';
import Tlb from './Tlb.svelte';

export const panel: Panel = {
  id: 'tlb',
  title: 'TLB',
  help: 'Cached translations of every processor and VTL, and whether they still say what the second stage says.',
  component: Tlb,
};
