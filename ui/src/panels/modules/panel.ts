import type { Panel } from '../../core/workspace.svelte';
import Modules from './Modules.svelte';

export const panel: Panel = {
  id: 'modules',
  title: 'Images and symbols',
  help: 'The images in memory at this instant, and their symbols by pattern.',
  component: Modules,
};
