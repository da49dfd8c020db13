import type { Panel } from '../../core/workspace.svelte';
import Structures from './Structures.svelte';

export const panel: Panel = {
  id: 'structures',
  title: 'Structure',
  help: 'A structure in memory, member by member, by the types of the PDBs.',
  component: Structures,
  several: true,
};
