// Commands of a pane, for as long as it is there. A second pane of the same kind (of the other run) adds none: the first keeps the keys.
import type { Command } from '../core/commands.svelte';
import type { Workspace } from '../core/workspace.svelte';
import { untrack } from 'svelte';

/** Until the returned function is called. */
export function add_commands(workspace: Workspace, commands: readonly Command[]): () => void {
  return untrack(() => {
    const free = commands.filter((command) => workspace.commands.find(command.id) === undefined);
    return workspace.commands.add(free);
  });
}
