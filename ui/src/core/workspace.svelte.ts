// What all panes of a page share: the runs, the commands, and the dock that holds the panes.
import { getContext, setContext, type Component } from 'svelte';
import { Commands } from './commands.svelte';
import type { Dock } from './dock';
import type { Session } from './session.svelte';

/** What a pane is given. `parameters` are kept in layouts: plain JSON. */
export interface PaneProps {
  session: Session;
  parameters: Record<string, unknown>;
}

/** A kind of pane: one file panels/NAME/panel.ts exports one as `panel`. */
export interface Panel {
  /** In layouts: stays the same. */
  id: string;
  title: string;
  /** One sentence for the help overlay and the list of panes. */
  help: string;
  component: Component<PaneProps>;
  /** Several at once make sense: memory at two addresses. */
  several?: boolean;
}

/** What panes can ask of the timeline. */
export interface TimelineControl {
  /** A lane of the events for which an expression is true. */
  add_query(text: string): void;
}

export class Workspace {
  readonly commands = new Commands();
  readonly panels: readonly Panel[];
  readonly session: Session;
  /** The run that this one is compared with, once somebody looks at it. */
  other = $state.raw<Session>();
  dock = $state.raw<Dock>();
  /** Of the run, not of the one that it is compared with. */
  timeline = $state.raw<TimelineControl>();
  /** An expression over events: what the keys { and } go through, unless a lane of the timeline is chosen. */
  interest = $state<string>();
  /** Looks where a link says that was made elsewhere: its secret does not matter. */
  follow_link: (fragment: string) => unknown = () => undefined;
  /** What a screen reader says next. */
  announcement = $state('');

  constructor(session: Session, panels: readonly Panel[]) {
    this.session = session;
    this.panels = panels;
  }

  panel(id: string): Panel | undefined {
    return this.panels.find((panel) => panel.id === id);
  }

  announce(text: string): void {
    this.announcement = text;
  }
}

const key = Symbol('workspace');
export function provide_workspace(workspace: Workspace): void {
  setContext(key, workspace);
}
/** While a component is initialised. */
export function use_workspace(): Workspace {
  return getContext<Workspace>(key);
}
