// Rights of many pages at the focus: the latest question is answered, answers of instants seen lately are kept.
import { bytes_of, hex } from '../../core/text';
import type { Session } from '../../core/session.svelte';
import { was_arrival } from '../../parts/arrival';
import { asRpcError, code, type RpcError } from '../../rpc/errors';
import type { Focus } from '../../rpc/interface';
import type { Maps } from './map';

/** Answers that are kept: playback goes to and fro among few instants. */
const kept = 24;
const page_size = 4096;

export interface Wanted {
  focus: Focus;
  first: number;
  pages: number;
}

export class RightsMaps {
  shown = $state.raw<Maps>();
  /** The instant of `shown`. */
  at = $state<number>();
  /** What was shown at the instant before that one. */
  former = $state.raw<Maps>();
  error = $state.raw<RpcError>();
  slow = $state(false);

  #known = new Map<string, Maps>();
  #asked = '';
  #busy = false;
  #next: (() => void) | undefined;

  want(session: Session, wanted: Wanted): void {
    const { at, vp } = wanted.focus;
    const key = `${session.number} ${session.epoch} ${at} ${vp} ${wanted.first} ${wanted.pages}`;
    if (key === this.#asked) return;
    this.#asked = key;
    const known = this.#known.get(key);
    if (known !== undefined) return this.#show(session, known, at);
    const ask = () => void this.#ask(session, wanted, key);
    if (this.#busy) this.#next = ask;
    else ask();
  }

  async #ask(session: Session, wanted: Wanted, key: string): Promise<void> {
    this.#busy = true;
    const timer = setTimeout(() => (this.slow = true), 150);
    try {
      const maps = await read(session, wanted);
      this.#keep(key, maps);
      if (key === this.#asked || this.shown === undefined) this.#show(session, maps, wanted.focus.at);
    } catch (failure) {
      const error = asRpcError(failure);
      if (error.code === code.disconnected) this.#asked = '';
      else if (key === this.#asked) this.error = error;
    }
    clearTimeout(timer);
    this.slow = this.#busy = false;
    const next = this.#next;
    this.#next = undefined;
    next?.();
  }

  #show(session: Session, maps: Maps, at: number): void {
    if (this.at !== undefined && this.at !== at) this.former = was_arrival(session, this.at) ? undefined : this.shown;
    this.error = undefined;
    this.shown = maps;
    this.at = at;
  }

  #keep(key: string, maps: Maps): void {
    this.#known.set(key, maps);
    const oldest = this.#known.keys().next();
    if (this.#known.size > kept && !oldest.done) this.#known.delete(oldest.value);
  }
}

async function read(session: Session, { focus, first, pages }: Wanted): Promise<Maps> {
  const gpa = hex(BigInt(first) * BigInt(page_size));
  const [of0, of1, page] = await Promise.all([
    session.call('slat.map', { focus, gpa, pages, vtl: 0 }),
    session.call('slat.map', { focus, gpa, pages, vtl: 1 }),
    session.call('slat.page', { focus, gpa }),
  ]);
  // A VTL that is not enabled yet has no second stage: its map says nothing.
  const enabled = page.rights.length > 1;
  return { first, of0: bytes_of(of0.pages), of1: enabled ? bytes_of(of1.pages) : undefined };
}
