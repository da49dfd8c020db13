import type { Panel } from '../../core/workspace.svelte';
import Compare from './Compare.svelte';

export const panel: Panel = {
  id: 'compare',
  title: 'Compare',
  help: 'Two runs beside each other, event by event, with the first difference and what differs at both focuses.',
  component: Compare,
};
