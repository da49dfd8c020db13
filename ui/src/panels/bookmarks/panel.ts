import type { Panel } from '../../core/workspace.svelte';
import Bookmarks from './Bookmarks.svelte';

export const panel: Panel = {
  id: 'bookmarks',
  title: 'Bookmarks',
  help: 'Places of the run that somebody marked, with notes. They are kept in the recording.',
  component: Bookmarks,
};
