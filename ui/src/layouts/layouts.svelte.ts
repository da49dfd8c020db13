// Layouts: those that come with the page, those that somebody saved, and the one that was left.
import type { Dock, SavedLayout } from '../core/dock';
import { load, store } from '../core/settings.svelte';
import { compare_preset, presets, type Preset } from './presets';

interface Saved {
  title: string;
  layout: SavedLayout;
}

const longest_title = 60;
const is_record = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);
const is_layout = (value: unknown): value is SavedLayout => is_record(value) && is_record(value['grid']) && is_record(value['panels']);
const is_saved = (value: unknown): value is Saved =>
  is_record(value) && typeof value['title'] === 'string' && value['title'].length <= longest_title && is_layout(value['layout']);
const is_list = (value: unknown): value is Saved[] => Array.isArray(value) && value.every(is_saved);

export class Layouts {
  #dock: Dock;
  saved = $state.raw<readonly Saved[]>(load('layouts', [], is_list));
  /** Id of the preset that was chosen last. */
  current = $state('');

  constructor(dock: Dock) {
    this.#dock = dock;
  }

  /** As it was left, else the first preset; a link may name another. */
  begin(wanted: string | undefined): () => void {
    const left = load('layout', undefined, (value): value is SavedLayout | undefined => value === undefined || is_layout(value));
    if (wanted !== undefined && this.choose(wanted)) return this.#remember();
    if (left === undefined || !this.#dock.restore(left)) this.choose(presets[0]!.id);
    else this.current = load('layout.name', '', (value): value is string => typeof value === 'string');
    return this.#remember();
  }

  /** False: there is no such preset. */
  choose(id: string): boolean {
    const preset: Preset | undefined = [...presets, compare_preset].find((each) => each.id === id);
    if (preset === undefined) return false;
    this.#dock.arrange(preset.placements);
    this.current = id;
    store('layout.name', id);
    return true;
  }

  show(saved: Saved): boolean {
    this.current = saved.title;
    return this.#dock.restore(saved.layout);
  }

  /** Under this name, in place of one of the same. False: the browser keeps nothing. */
  save(title: string): boolean {
    const name = title.trim().slice(0, longest_title);
    if (name === '') return false;
    this.saved = [...this.saved.filter((each) => each.title !== name), { title: name, layout: this.#dock.save() }];
    this.current = name;
    return store('layouts', this.saved);
  }

  remove(title: string): void {
    this.saved = this.saved.filter((each) => each.title !== title);
    store('layouts', this.saved);
  }

  /** For a file. */
  text(): string {
    return JSON.stringify({ title: this.current || 'layout', layout: this.#dock.save() }, null, 1);
  }

  /** Of a file that somebody chose; says what is wrong with it, or nothing. */
  read(text: string): string | undefined {
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return 'The file is not JSON.';
    }
    if (!is_saved(value)) return 'The file holds no layout.';
    return this.show(value) ? undefined : 'The layout names panes that are not there.';
  }

  #remember(): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    const stop = this.#dock.onchange(() => {
      clearTimeout(timer);
      timer = setTimeout(() => store('layout', this.#dock.save()), 500);
    });
    return () => {
      clearTimeout(timer);
      stop();
    };
  }
}
