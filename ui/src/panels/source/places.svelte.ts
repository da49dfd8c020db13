// Names of addresses, asked once each: a trail moves by one instruction at a step, the rest of it is known already.
import { eye } from '../../core/here.svelte';
import type { Session } from '../../core/session.svelte';
import type { Place } from '../../rpc/interface';

const most = 4096;

export class Places {
  /** Grows when names came in. */
  version = $state(0);
  #known = new Map<string, Place>();
  #asked = new Set<string>();
  #state = '';

  /** undefined: not known, or not yet. */
  of(address: string): Place | undefined {
    return this.#known.get(address);
  }
  has(address: string): boolean {
    return this.#asked.has(address);
  }

  /** Other images, another world or another run: all names are asked anew. */
  enter(session: Session, vtl: number): void {
    const state = `${session.number} ${session.epoch} ${vtl}`;
    if (state === this.#state && this.#asked.size < most) return;
    this.#state = state;
    this.#known = new Map();
    this.#asked = new Set();
  }

  async ask(session: Session, vtl: number, addresses: readonly string[]): Promise<void> {
    const known = this.#known;
    const focus = eye(session.focus, vtl);
    for (const address of addresses) this.#asked.add(address);
    await Promise.all(
      addresses.map(async (address) => {
        try {
          known.set(address, (await session.call('symbols.at', { focus, address })).place);
        } catch {
          this.#asked.delete(address); // it has no name now: asked again with the next trail
        }
      }),
    );
    if (known === this.#known && addresses.length > 0) this.version += 1;
  }
}
