import type { Panel } from '../../core/workspace.svelte';
import Slat from './Slat.svelte';

export const panel: Panel = {
  id: 'slat',
  title: 'SLAT map',
  help: 'What each VTL may do with every guest physical page, where they differ, and how that changed through time.',
  component: Slat,
};
