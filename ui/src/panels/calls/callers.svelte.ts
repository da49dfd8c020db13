// What the functions are called that made the calls around the focus: from the stack at the instant of each call.
import type { Session } from '../../core/session.svelte';
import { functions_of, last, type TreeNode } from './tree';

const most_kept = 200;
/** The machine is taken to each of these instants: not while somebody steps quickly. Milliseconds. */
const rest = 250;

export class Callers {
  names = $state.raw<ReadonlyMap<string, string>>(new Map());
  #session: Session;
  #wanted: readonly TreeNode[] = [];
  #under_way = false;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(session: Session) {
    this.#session = session;
  }

  want(path: readonly TreeNode[]): void {
    this.#wanted = path;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), rest);
  }

  forget(): void {
    this.names = new Map();
  }

  stop(): void {
    this.#wanted = [];
    clearTimeout(this.#timer);
  }

  async #ask(): Promise<void> {
    if (this.#under_way) return;
    this.#under_way = true;
    for (;;) {
      const node = last(this.#wanted, (each) => !this.names.has(each.key)); // the innermost first
      if (node === undefined) break;
      this.#keep(node.key, await this.#functions(node));
    }
    this.#under_way = false;
  }

  async #functions({ call }: TreeNode): Promise<string> {
    try {
      const { frames } = await this.#session.call('stack', { focus: { at: call.at, vp: call.vp, vtl: call.from_vtl }, maximum: 32 });
      return functions_of(frames, call.from_vtl);
    } catch {
      return ''; // the call itself is shown
    }
  }

  #keep(key: string, text: string): void {
    const next = new Map(this.names).set(key, text);
    for (const old of next.keys()) {
      if (next.size <= most_kept) break;
      next.delete(old);
    }
    this.names = next;
  }
}
