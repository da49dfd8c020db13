// Brings what the timeline draws: one summary at a time, first what is in sight, then what stands in for it elsewhere.
import { untrack } from 'svelte';
import type { Session } from '../core/session.svelte';
import { asRpcError, code } from '../rpc/errors';
import { level_for, Tiles, type Cells, type Missing } from './tiles';
import type { Axis, Span } from './axis';

/** Levels of the pyramid between what is in sight and what is fetched beside it: zooming out finds something to draw. */
const outwards = 2;

/** What somebody looks at. */
export interface Wish {
  axis: Axis;
  span: Span;
  width: number;
  queries: readonly string[];
}

export class SummaryData {
  /** Grows with each answer: what is drawn is not the newest any more. */
  version = $state(0);
  /** Why a query's lane is empty. */
  problems = $state.raw<ReadonlyMap<string, string>>(new Map());
  problem = $state<string>();

  readonly #session: Session;
  #stores = new Map<string, Tiles>();
  #wish: Wish | undefined;
  #wholes: Record<Axis, Span> = { events: { from: 0, to: 1 }, time: { from: 0, to: 1 } };
  #under_way = false;
  #generation = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Requests sent, for measurements. */
  requests = 0;

  /** How much there is of the run. */
  set_wholes(events: Span, time: Span): void {
    this.#wholes = { events, time };
    this.#pump();
  }

  want(wish: Wish): void {
    this.#wish = wish;
    this.#pump();
  }

  /** The run became another one. */
  forget(): void {
    this.#stores.clear();
    this.#generation += 1;
    this.problems = new Map();
    this.problem = undefined;
    this.version += 1;
    this.#pump();
  }

  cells(axis: Axis, span: Span, width: number, query = ''): Cells {
    return this.#store(axis, query).cells(span, level_for(span, width), this.#wholes[axis]);
  }

  kinds(axis: Axis): readonly string[] {
    return this.#store(axis, '').kinds;
  }

  #store(axis: Axis, query: string): Tiles {
    const key = `${axis} ${query}`;
    let store = this.#stores.get(key);
    if (store === undefined) this.#stores.set(key, (store = new Tiles()));
    return store;
  }

  /** In the order of need. */
  #next(wish: Wish): { query: string; missing: Missing } | undefined {
    const whole = this.#wholes[wish.axis];
    const level = level_for(wish.span, wish.width);
    const top = level_for(whole, wish.width);
    const levels = [top, level, Math.min(top, level + outwards)];
    for (const query of ['', ...wish.queries]) {
      if (query !== '' && this.problems.has(query)) continue;
      const spans = [whole, wish.span, around(wish.span)];
      for (let i = 0; i < levels.length; ++i) {
        const missing = this.#store(wish.axis, query).missing(spans[i]!, levels[i]!, whole);
        if (missing !== undefined) return { query, missing };
      }
    }
    return undefined;
  }

  #pump(): void {
    const wish = this.#wish;
    if (this.#under_way || wish === undefined || untrack(() => this.#session.connection_state) !== 'open') return;
    const next = untrack(() => this.#next(wish));
    if (next !== undefined) void this.#ask(wish.axis, next.query, next.missing);
  }

  async #ask(axis: Axis, query: string, missing: Missing): Promise<void> {
    this.#under_way = true;
    this.requests += 1;
    const generation = this.#generation;
    const whole = this.#wholes[axis];
    const { from, to, buckets } = missing;
    let again = true;
    try {
      const answer = await this.#session.call('events.summary', { from, to, buckets, by: axis, ...(query === '' ? {} : { query }) });
      if (generation !== this.#generation) return;
      again = this.#store(axis, query).put(missing, answer.kinds, answer.buckets, whole, answer.complete);
      this.problem = again ? undefined : 'The program answered with another number of buckets.';
    } catch (error) {
      const problem = asRpcError(error);
      again = query !== '';
      if (query !== '') this.problems = new Map([...this.problems, [query, problem.message]]);
      else if (problem.code !== code.disconnected) this.problem = problem.message;
    } finally {
      this.#under_way = false;
      this.version += 1;
      if (again || generation !== this.#generation) this.#pump();
    }
  }
}

function around(span: Span): Span {
  const length = span.to - span.from;
  return { from: span.from - length / 2, to: span.to + length / 2 };
}
