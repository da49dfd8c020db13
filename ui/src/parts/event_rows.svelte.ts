// Rows of the list of all events, or of those that a query takes: pages are kept, those in sight are fetched first and those
// ahead of the scrolling after them; of questions that come up faster than they are answered, the last is asked.
import { untrack } from 'svelte';
import { asRpcError, code, type RpcError } from '../rpc/errors';
import type { Event, Methods } from '../rpc/interface';

type Slice = Methods['events.slice'];
type Locate = Methods['events.locate'];
export interface EventSource {
  call(method: 'events.slice', parameters: Slice['parameters']): Promise<Slice['result']>;
  call(method: 'events.locate', parameters: Locate['parameters']): Promise<Locate['result']>;
}

export const page_size = 100;
const most_pages = 60;
const most_under_way = 2;
/** Between two looks at a search that did not come on: milliseconds. */
const pause = 200;

/** Pages to fetch, the most wanted first: those in sight, then what comes next in the direction of scrolling, then the one behind. */
export function wanted_pages(first: number, count: number, total: number, backwards: boolean): number[] {
  if (total <= 0 || count <= 0) return [];
  const last_page = Math.floor((total - 1) / page_size);
  const low = Math.min(Math.floor(first / page_size), last_page);
  const high = Math.min(Math.floor((first + count - 1) / page_size), last_page);
  const sight = Array.from({ length: high - low + 1 }, (_, i) => low + i);
  const ahead = backwards ? [low - 1, low - 2, high + 1] : [high + 1, high + 2, low - 1];
  return [...(backwards ? sight.reverse() : sight), ...ahead].filter((page) => page >= 0 && page <= last_page);
}

export class EventRows {
  /** Rows known by now. */
  total = $state(0);
  /** All events were looked at. */
  complete = $state(false);
  looked_at = $state(0);
  error = $state.raw<RpcError>();
  /** An answer was there. */
  ready = $state(false);
  /** The row of the first event at or after the instant that was asked for; undefined: not known. */
  located = $state.raw<{ at: number; row: number; complete: boolean }>();

  #source: EventSource;
  #query: string;
  #pages = new Map<number, readonly Event[]>();
  #version = $state(0);
  #sight = { first: 0, count: 0, backwards: false };
  #under_way = new Set<number>();
  /** Answers to questions of an older one are dropped. */
  #generation = 0;
  #fresh = false; // an answer of this generation was there
  #looking = false;
  #locating: { at: number; under_way: boolean; next: number | undefined } | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  constructor(source: EventSource, query = '') {
    this.#source = source;
    this.#query = query;
  }

  get query(): string {
    return this.#query;
  }

  /** Instead of what is there, which stays on screen until the first answer. */
  ask(query: string): void {
    const known = untrack(() => (this.ready || this.#looking) && this.error === undefined);
    if (query === this.#query && known) return;
    this.#query = query;
    untrack(() => this.#begin());
  }

  /** The same again, from the program: symbols were read, another run was opened. */
  again(): void {
    untrack(() => this.#begin());
  }

  /** There may be more events by now. */
  more(): void {
    if (this.#looking || this.#stopped) return;
    clearTimeout(this.#timer);
    untrack(() => void this.#look(this.#generation));
  }

  sight(first: number, count: number): void {
    this.#sight = { first, count, backwards: first < this.#sight.first };
    untrack(() => this.#fetch());
  }

  row(index: number): Event | undefined {
    this.#version; // looked at, so that a page that comes shows
    return this.#pages.get(Math.floor(index / page_size))?.[index % page_size];
  }

  /** Events that are here, of those in sight and around: for words to complete. */
  known(): Event[] {
    return [...this.#pages.values()].flat();
  }

  /** Sets `located`. */
  locate(at: number): void {
    if (this.#locating?.under_way) this.#locating.next = at;
    else void this.#locate(at, this.#generation);
  }

  stop(): void {
    this.#stopped = true;
    this.#generation += 1;
    clearTimeout(this.#timer);
  }

  #begin(): void {
    this.#generation += 1;
    this.#fresh = false;
    this.#under_way.clear();
    this.#looking = false;
    this.#locating = undefined;
    this.located = undefined;
    this.complete = false;
    this.looked_at = 0;
    this.error = undefined;
    clearTimeout(this.#timer);
    void this.#look(this.#generation);
  }

  /** Until all events were looked at. */
  async #look(generation: number): Promise<void> {
    this.#looking = true;
    const before = this.looked_at;
    const answer = await this.#slice(0, 0, generation);
    if (generation !== this.#generation) return;
    this.#looking = false;
    if (answer === undefined || answer.complete) return;
    const came_on = answer.looked_at > before;
    this.#timer = setTimeout(() => void this.#look(generation), came_on ? 0 : pause);
  }

  #fetch(): void {
    const { first, count, backwards } = this.#sight;
    for (const page of wanted_pages(first, count, this.total, backwards)) {
      if (this.#under_way.size >= most_under_way) return;
      if (!this.#under_way.has(page) && !this.#whole(page)) void this.#fetch_page(page);
    }
  }

  #whole(page: number): boolean {
    const rows = this.#pages.get(page);
    return rows !== undefined && rows.length >= Math.min(page_size, this.total - page * page_size);
  }

  async #fetch_page(page: number): Promise<void> {
    const generation = this.#generation;
    this.#under_way.add(page);
    const answer = await this.#slice(page * page_size, page_size, generation);
    if (generation !== this.#generation) return;
    this.#under_way.delete(page);
    if (answer === undefined) return;
    this.#keep(page, answer.events);
    this.#fetch();
  }

  async #slice(first: number, count: number, generation: number): Promise<Slice['result'] | undefined> {
    try {
      const query = this.#query;
      const answer = await this.#source.call('events.slice', { first, count, ...(query === '' ? {} : { query }) });
      if (generation !== this.#generation) return undefined;
      this.#take(answer);
      return answer;
    } catch (failure) {
      if (generation !== this.#generation) return undefined;
      const problem = asRpcError(failure);
      if (problem.code !== code.disconnected) this.error = problem;
      this.ready = true;
      return undefined;
    }
  }

  #take(answer: Slice['result']): void {
    if (!this.#fresh) this.#pages.clear();
    if (!this.#fresh) this.#version += 1;
    this.#fresh = true;
    this.ready = true;
    this.error = undefined;
    this.total = answer.total;
    this.complete = answer.complete;
    this.looked_at = Math.max(this.looked_at, answer.looked_at);
    this.#fetch();
  }

  #keep(page: number, events: readonly Event[]): void {
    this.#pages.delete(page);
    this.#pages.set(page, events);
    for (const old of this.#pages.keys()) {
      if (this.#pages.size <= most_pages) break;
      this.#pages.delete(old);
    }
    this.#version += 1;
  }

  async #locate(at: number, generation: number): Promise<void> {
    const asked = { at, under_way: true, next: undefined as number | undefined };
    this.#locating = asked;
    try {
      const query = this.#query;
      const answer = await this.#source.call('events.locate', { at, ...(query === '' ? {} : { query }) });
      if (generation === this.#generation && !this.#stopped) this.located = { at, row: answer.row, complete: answer.complete };
    } catch {
      if (generation === this.#generation) this.located = undefined; // the rows say why
    }
    if (generation !== this.#generation || this.#stopped) return;
    asked.under_way = false;
    if (asked.next !== undefined && asked.next !== at) void this.#locate(asked.next, generation);
  }
}
