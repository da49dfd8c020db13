// The calls around the focus: as many as lie between some events before it and some after, and more on demand.
import { untrack } from 'svelte';
import type { Session } from '../../core/session.svelte';
import { asRpcError, code, type RpcError } from '../../rpc/errors';
import type { CallNode } from '../../rpc/interface';

/** Events on each side of the focus. */
const reach = 500;
/** Events that are loaded at most: what is farther from where somebody goes is dropped. */
const most_events = 4 * reach;
const most_calls = most_events;

export class CallWindow {
  calls = $state.raw<readonly CallNode[]>([]);
  /** Calls lie before and after what is loaded. */
  earlier = $state(false);
  later = $state(false);
  error = $state.raw<RpcError>();
  loading = $state(false);
  ready = $state(false);

  #session: Session;
  #rows = { first: 0, end: 0 };
  #instants: { from: number; to: number } | undefined;
  #hypercalls = true;
  #epoch = -1;
  #generation = 0;

  constructor(session: Session) {
    this.#session = session;
  }

  /** Loads what lies around an instant, unless it is there. */
  show(at: number, hypercalls: boolean, epoch: number): void {
    const known = this.#instants !== undefined && at >= this.#instants.from && at <= this.#instants.to;
    if (known && hypercalls === this.#hypercalls && epoch === this.#epoch) return;
    this.#hypercalls = hypercalls;
    this.#epoch = epoch;
    untrack(() => void this.#load(() => this.#rows_around(at)));
  }

  more_earlier(): void {
    const first = Math.max(0, this.#rows.first - 2 * reach);
    void this.#load(async () => ({ first, end: Math.min(this.#rows.end, first + most_events) }));
  }
  more_later(): void {
    const end = this.#rows.end + 2 * reach;
    void this.#load(async () => ({ first: Math.max(this.#rows.first, end - most_events), end }));
  }

  async #rows_around(at: number): Promise<{ first: number; end: number }> {
    const { row } = await this.#session.call('events.locate', { at });
    return { first: Math.max(0, row - reach), end: row + reach };
  }

  async #instant_of(row: number): Promise<number | undefined> {
    const { events } = await this.#session.call('events.slice', { first: row, count: 1 });
    return events[0]?.at;
  }

  async #load(rows_of: () => Promise<{ first: number; end: number }>): Promise<void> {
    const generation = ++this.#generation;
    this.loading = true;
    try {
      const rows = await rows_of();
      const [from, to] = await Promise.all([rows.first === 0 ? 0 : this.#instant_of(rows.first), this.#instant_of(rows.end)]);
      const until = to ?? this.#session.end; // a machine that runs on has more than that
      let complete = false;
      while (!complete && generation === this.#generation) {
        const answer = await this.#session.call('calls', {
          ...(from ? { from, enclosing: true } : {}),
          ...(to === undefined ? {} : { to }),
          maximum: most_calls,
          hypercalls: this.#hypercalls,
        });
        if (generation !== this.#generation) return;
        complete = answer.complete; // the calls around the window are found piece by piece
        this.#rows = rows;
        this.#instants = { from: from ?? 0, to: until };
        this.calls = answer.calls;
        this.earlier = rows.first > 0;
        this.later = to !== undefined || answer.more;
        this.error = undefined;
        this.ready = true;
      }
    } catch (failure) {
      if (generation !== this.#generation) return;
      const problem = asRpcError(failure);
      this.#instants = undefined;
      if (problem.code !== code.disconnected) this.error = problem;
    } finally {
      if (generation === this.#generation) this.loading = false;
    }
  }
}
