// The only file that knows dockview: panes in a dock, layouts as plain data.
import { createDockview, type DockviewApi, type DockviewPanelApi, type SerializedDockview } from 'dockview-core';
import { mount, unmount } from 'svelte';
import PaneHost from '../parts/PaneHost.svelte';
import { PaneTab } from './tab';
import { restore_scroll } from '../parts/keeps_scroll';
import type { Workspace } from './workspace.svelte';

export type Side = 'left' | 'right' | 'above' | 'below' | 'within';

/** Milliseconds until panes behind others are made. */
const hidden_pause = 1500;

/** A pane of a layout. `share` is of the width or height that it divides with its neighbour, 0 to 1. */
export interface Placement {
  panel: string;
  /** Of this pane, when several of one kind are there. */
  id?: string;
  at?: { beside: string; side: Side };
  share?: number;
  parameters?: Record<string, unknown>;
  /** Of the other run. */
  other?: boolean;
}

export type SavedLayout = SerializedDockview;

export class Dock {
  readonly #api: DockviewApi;
  readonly #host: HTMLElement;
  readonly #workspace: Workspace;
  /** While panes are arranged: how large each of them will be. Those of a group share one. */
  readonly #places = new Map<string, { width: number; height: number }>();

  constructor(host: HTMLElement, workspace: Workspace) {
    this.#host = host;
    this.#workspace = workspace;
    this.#api = createDockview(host, {
      theme: { name: 'airlock', className: 'dockview-theme-airlock' },
      disableFloatingGroups: true,
      disableTabsOverflowList: false,
      defaultTabComponent: 'tab',
      createTabComponent: () => new PaneTab(),
      createComponent: (options) => this.#component(options.name),
    });
    this.#api.onDidLayoutChange(restore_scroll);
    this.#api.onDidActivePanelChange(restore_scroll);
  }

  /** Instead of what is there. */
  arrange(placements: readonly Placement[]): void {
    this.#api.clear();
    this.#api.layout(this.#host.clientWidth, this.#host.clientHeight); // shares are of these
    this.#places.clear();
    for (const placement of placements) this.#add(placement, false);
    this.#places.clear(); // from now on the dock knows better
    for (const group of this.#api.groups) group.panels[0]?.api.setActive(); // the first of each is in front
    this.#api.panels[0]?.api.setActive();
  }

  /** Brings the pane of this kind to the front, or adds one; `parameters` make a new one where several make sense. */
  open(panel: string, parameters?: Record<string, unknown>, other = false): void {
    const kind = this.#workspace.panel(panel);
    if (kind === undefined) return;
    const known = this.#api.panels.find((pane) => kind_of(pane.id) === name_of(panel, other));
    if (known !== undefined && (parameters === undefined || !kind.several)) {
      if (parameters !== undefined) known.api.updateParameters({ ...parameters, other });
      known.api.setActive();
      known.focus();
      return;
    }
    const near = known ?? this.#api.activePanel;
    this.#add({
      panel,
      id: this.#free_id(panel, other),
      ...(near ? { at: { beside: near.id, side: 'within' as const } } : {}),
      ...(parameters ? { parameters } : {}),
      other,
    }, true);
  }

  /** Panes that are there, by kind. */
  opened(): string[] {
    return this.#api.panels.map((pane) => kind_of(pane.id));
  }

  save(): SavedLayout {
    return this.#api.toJSON();
  }

  /** False: this is no layout of ours; the dock is as it was. */
  restore(saved: SavedLayout): boolean {
    const before = this.save();
    try {
      this.#api.fromJSON(saved);
      if (this.#api.panels.length > 0 && this.opened().every((id) => this.#workspace.panel(id.replace(/^other:/, '')) !== undefined)) return true;
    } catch {
      // told by the answer
    }
    this.#api.fromJSON(before);
    return false;
  }

  onchange(listener: () => void): () => void {
    const change = this.#api.onDidLayoutChange(listener);
    return () => change.dispose();
  }

  /** The next pane, or the one before: for the keyboard. */
  cycle(back: boolean): void {
    if (back) this.#api.moveToPrevious({ includePanel: true });
    else this.#api.moveToNext({ includePanel: true });
    this.#api.activePanel?.focus();
  }

  close_active(): void {
    this.#api.activePanel?.api.close();
  }

  maximize(): void {
    const active = this.#api.activePanel?.api;
    if (active?.isMaximized()) active.exitMaximized();
    else active?.maximize();
  }

  dispose(): void {
    this.#api.dispose();
  }

  #free_id(panel: string, other: boolean): string {
    const taken = new Set(this.#api.panels.map((pane) => pane.id));
    let id = name_of(panel, other);
    for (let number = 2; taken.has(id); ++number) id = `${name_of(panel, other)}#${number}`;
    return id;
  }

  #add(placement: Placement, active: boolean): void {
    const kind = this.#workspace.panel(placement.panel);
    if (kind === undefined) return;
    const other = placement.other ?? false;
    const position = placement.at && this.#api.getPanel(placement.at.beside) ? placement.at : undefined;
    const size = position && placement.share !== undefined ? this.#size(position, placement.share) : {};
    const id = placement.id ?? name_of(placement.panel, other);
    this.#api.addPanel({
      id,
      component: placement.panel,
      title: other ? `Other run: ${kind.title}` : kind.title,
      inactive: !active,
      params: { ...placement.parameters, other },
      ...(position ? { position: { referencePanel: position.beside, direction: position.side } } : {}),
      ...size,
    });
    if (!active) this.#placed(id, position, size);
  }

  /** What the new pane gets of the place of the one beside it. The dock itself knows that place only after it has painted. */
  #size(at: { beside: string; side: Side }, share: number): { initialWidth?: number; initialHeight?: number } {
    const { width, height } = this.#places.get(at.beside) ?? this.#api.getPanel(at.beside)!.group.api;
    if (at.side === 'left' || at.side === 'right') return { initialWidth: width * share };
    if (at.side === 'above' || at.side === 'below') return { initialHeight: height * share };
    return {};
  }

  /** Reckons the places of a pane that was added and of the one that made room for it. */
  #placed(id: string, at: { beside: string; side: Side } | undefined, size: { initialWidth?: number; initialHeight?: number }): void {
    const beside = at && this.#places.get(at.beside);
    if (beside === undefined) return void this.#places.set(id, { width: this.#host.clientWidth, height: this.#host.clientHeight });
    if (at?.side === 'within') return void this.#places.set(id, beside); // one place for all panes of a group
    const { initialWidth: width = beside.width, initialHeight: height = beside.height } = size;
    this.#places.set(id, { width, height });
    if (size.initialWidth !== undefined) beside.width -= width;
    if (size.initialHeight !== undefined) beside.height -= height;
  }

  #component(name: string) {
    const element = document.createElement('div');
    element.className = 'pane';
    let mounted: ReturnType<typeof mount> | undefined;
    let gone = false;
    let watch: { dispose: () => void } | undefined;
    const props = props_of(this.#workspace, name);
    const begin = () => {
      if (mounted === undefined && !gone) mounted = mount(PaneHost, { target: element, props: props.value });
    };
    return {
      element,
      init: (options: { params: Record<string, unknown>; title: string; api: DockviewPanelApi }) => {
        props.set(options.params, options.title);
        watch = options.api.onDidVisibilityChange(({ isVisible }) => {
          props.see(isVisible);
          if (isVisible && arranged) begin();
        });
        // Which panes are in front is known when all are there. Those behind them come when the first screen has been drawn.
        let arranged = false;
        queueMicrotask(() => {
          arranged = true;
          props.see(options.api.isVisible);
          if (options.api.isVisible) begin();
          else setTimeout(begin, hidden_pause);
        });
      },
      update: (event: { params: Record<string, unknown> }) => props.update(event.params),
      focus: () => element.querySelector<HTMLElement>('[data-autofocus], [tabindex="0"], input, button')?.focus(),
      dispose: () => {
        gone = true;
        watch?.dispose();
        if (mounted !== undefined) void unmount(mounted);
      },
    };
  }
}

/** Parameters change through an event, since what mount() was given cannot be replaced. */
function props_of(workspace: Workspace, name: string) {
  const target = new EventTarget();
  const value = { workspace, name, title: '', parameters: {} as Record<string, unknown>, changes: target, visible: true };
  return {
    value,
    set: (parameters: Record<string, unknown>, title: string) => {
      value.parameters = parameters;
      value.title = title;
    },
    see: (visible: boolean) => {
      value.visible = visible;
      target.dispatchEvent(new CustomEvent('visible', { detail: visible }));
    },
    update: (parameters: Record<string, unknown>) => target.dispatchEvent(new CustomEvent('parameters', { detail: parameters })),
  };
}

function name_of(panel: string, other: boolean): string {
  return other ? `other:${panel}` : panel;
}
function kind_of(id: string): string {
  return id.replace(/#\d+$/, '');
}
