// What is done to the page rather than to the run.
import type { Command } from '../core/commands.svelte';
import { settings } from '../core/settings.svelte';
import type { Workspace } from '../core/workspace.svelte';

export type Dialog = 'palette' | 'help' | 'menu';

export function shell_commands(workspace: Workspace, show: (dialog: Dialog) => void, copy_link: () => unknown, tour: () => unknown): Command[] {
  const dock = () => workspace.dock;
  return [
    { id: 'palette', title: 'Go to, or do', group: 'Help', keys: ['Ctrl+k'], everywhere: true, run: () => show('palette') },
    { id: 'help', title: 'Keys and panes', group: 'Help', keys: ['?', 'F1'], run: () => show('help') },
    { id: 'tour', title: 'Guided tour: one secure call in five minutes', group: 'Help', keys: ['F2'], run: tour },
    { id: 'layout', title: 'Layouts, panes and theme', group: 'Layout', keys: ['l'], run: () => show('menu') },
    { id: 'pane.next', title: 'Next pane', group: 'Layout', keys: ['F6'], everywhere: true, run: () => dock()?.cycle(false) },
    { id: 'pane.previous', title: 'Previous pane', group: 'Layout', keys: ['Shift+F6'], everywhere: true, run: () => dock()?.cycle(true) },
    { id: 'pane.close', title: 'Close this pane', group: 'Layout', keys: ['Alt+w'], run: () => dock()?.close_active() },
    { id: 'pane.maximize', title: 'This pane alone, and back', group: 'Layout', keys: ['z'], run: () => dock()?.maximize() },
    {
      id: 'theme',
      title: 'Light or dark',
      group: 'Layout',
      keys: ['Alt+t'],
      run: () => (settings.theme = settings.shown === 'dark' ? 'light' : 'dark'),
    },
    { id: 'link', title: 'Copy a link to this view', group: 'Look', keys: ['Ctrl+Shift+l'], run: copy_link },
    {
      id: 'pin',
      title: 'Pin this page: other clients do not move it',
      group: 'Look',
      run: () => (workspace.session.pinned = !workspace.session.pinned),
    },
  ];
}
