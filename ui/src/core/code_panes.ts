// The panes of code that are open: commands for the row that somebody stands on mean the one that was used last, and what is
// followed from elsewhere is looked at there.
import type { Command, Commands } from './commands.svelte';
import type { Session } from './session.svelte';
import type { Workspace } from './workspace.svelte';

/** What a pane of code does, with the row that somebody stands on. */
export interface CodePane {
  session: Session;
  /** Shows what is there; the focus stays. */
  look(address: string, vtl: number): void;
  run_to(): unknown;
  back_to(): unknown;
  toggle_breakpoint(): unknown;
  switch_breakpoint(): unknown;
  edit_condition(): unknown;
  executed(which: 'last' | 'first' | 'next'): unknown;
  show_focus(): unknown;
}

type Desk = Pick<Workspace, 'dock'>;
interface Panes {
  /** The last one was used last. */
  list: CodePane[];
  remove: () => void;
}
const panes_of = new WeakMap<Desk, Panes>();

/** `use` makes the pane the one that commands mean; `leave` when it goes. */
export function join_code_panes(workspace: Desk & { commands: Pick<Commands, 'add'> }, pane: CodePane): { use: () => void; leave: () => void } {
  let panes = panes_of.get(workspace);
  if (panes === undefined) {
    const list: CodePane[] = [];
    panes = { list, remove: workspace.commands.add(commands(() => list.at(-1))) };
    panes_of.set(workspace, panes);
  }
  const { list, remove } = panes;
  list.unshift(pane);
  return {
    use: () => {
      list.splice(list.indexOf(pane), 1);
      list.push(pane);
    },
    leave: () => {
      list.splice(list.indexOf(pane), 1);
      if (list.length > 0) return;
      remove();
      panes_of.delete(workspace);
    },
  };
}

/** In the pane of this run that was used last; without one a pane is opened there. */
export function look_at_code(desk: Desk, session: Session, address: string, vtl: number): void {
  const pane = panes_of.get(desk)?.list.filter((each) => each.session === session).at(-1);
  const other = session.number !== 0;
  if (pane === undefined) return desk.dock?.open('code', { address, vtl }, other);
  desk.dock?.open('code', undefined, other);
  pane.look(address, vtl);
}

function commands(pane: () => CodePane | undefined): Command[] {
  const command = (id: string, title: string, group: Command['group'], keys: string[], run: (pane: CodePane) => unknown): Command => ({
    id,
    title,
    group,
    keys,
    run: () => {
      const used = pane();
      if (used !== undefined) run(used);
    },
  });
  return [
    command('code.run_to', 'Run to the row', 'Motion', ['Ctrl+Enter', 'F4'], (used) => used.run_to()),
    command('code.back_to', 'Run back to the row', 'Motion', ['Ctrl+Shift+Enter', 'Ctrl+F4'], (used) => used.back_to()),
    command('code.executed_last', 'What executed the row last?', 'Motion', [], (used) => used.executed('last')),
    command('code.executed_first', 'What executed the row first?', 'Motion', [], (used) => used.executed('first')),
    command('code.executed_next', 'What executes the row next?', 'Motion', [], (used) => used.executed('next')),
    command('code.breakpoint', 'Set a breakpoint at the row, or take it away', 'Breakpoints', ['F9'], (used) => used.toggle_breakpoint()),
    command('code.breakpoint_switch', 'Switch the breakpoint of the row on or off', 'Breakpoints', ['Shift+F9'], (used) => used.switch_breakpoint()),
    command('code.breakpoint_condition', 'Condition of the breakpoint of the row', 'Breakpoints', ['Ctrl+F9'], (used) => used.edit_condition()),
    command('code.show_focus', 'Show the instruction at the focus', 'Look', ['.'], (used) => used.show_focus()),
  ];
}
