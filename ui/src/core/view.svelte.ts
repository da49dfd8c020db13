// What a pane shows of the program, kept up to date.
import { asRpcError, code, type RpcError } from '../rpc/errors';
import type { MethodName, Methods } from '../rpc/interface';
import type { Session } from './session.svelte';
import { use_visibility } from './visibility';

/** An answer is slow from here on, and the pane says so: milliseconds. */
const slow_after = 150;

/** What is not looked at first is asked when nothing else has come up for so long: milliseconds. */
export const calm_after = 60;

export interface View<Result> {
  /** The last answer; stays until the next one is there. */
  readonly value: Result | undefined;
  /** Why there is none for what is asked now. */
  readonly error: RpcError | undefined;
  readonly pending: boolean;
  /** Pending for longer than people take for immediate. */
  readonly slow: boolean;
  /** The parameters of `value`. */
  readonly of: unknown;
}

export interface ViewOptions {
  /**
   * This can wait until motion rests: while a key is held down it is not asked, and a step does not wait for it. The first
   * question is asked at once.
   */
  calm?: boolean;
}

/**
 * Asks `method` whenever what `parameters` returns changes, or the session shows other things at the same focus. At most one
 * question is under way: of those that came up meanwhile, the last is asked. `parameters` returning undefined asks nothing.
 * `also`: what else the answer depends on; its change asks the same again. Nothing is asked while the pane is out of sight:
 * what has changed by then is asked when it comes back. To be called while a component is initialised.
 */
export function view<M extends MethodName>(
  session: () => Session,
  method: M,
  parameters: () => Methods[M]['parameters'] | undefined,
  also?: () => string,
  { calm = false }: ViewOptions = {},
): View<Methods[M]['result']> {
  const state = new Viewed<M>(method, calm);
  const visible = use_visibility();
  $effect(() => {
    if (!visible()) return state.rest();
    const of = session();
    const wanted = parameters();
    const epoch = of.epoch; // looked at, so that its growth asks again
    if (of.connection_state === 'open' && of.ready && wanted !== undefined) state.want(of, wanted, `${epoch} ${also?.() ?? ''}`);
    if (wanted === undefined) state.forget();
  });
  $effect(() => () => state.stop());
  return state;
}

class Viewed<M extends MethodName> implements View<Methods[M]['result']> {
  value = $state.raw<Methods[M]['result']>();
  error = $state.raw<RpcError>();
  pending = $state(false);
  slow = $state(false);
  of = $state.raw<unknown>();

  #method: M;
  #asked = '';
  #under_way = false;
  #next: (() => void) | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  readonly #calm: boolean;
  #pause: ReturnType<typeof setTimeout> | undefined;
  /** Asks what waits for calm. */
  #waiting: (() => void) | undefined;

  constructor(method: M, calm: boolean) {
    this.#method = method;
    this.#calm = calm;
  }

  want(session: Session, parameters: Methods[M]['parameters'], state: string): void {
    const question = `${session.number} ${state} ${JSON.stringify(parameters)}`;
    if (question === this.#asked) return;
    this.#asked = question;
    const ask = () => void this.#ask(session, parameters, question);
    if (this.#calm && this.of !== undefined) this.#ask_when_calm(ask);
    else this.#ask_next(ask);
  }

  /** Out of sight: what was not asked yet is asked when it is in sight again. */
  rest(): void {
    if (this.#waiting === undefined && this.#next === undefined) return;
    this.#drop();
    this.#asked = '';
  }

  #ask_next(ask: () => void): void {
    if (this.#under_way) this.#next = ask;
    else ask();
  }

  #ask_when_calm(ask: () => void): void {
    clearTimeout(this.#pause);
    this.pending = true;
    this.#waiting = ask;
    this.#pause = setTimeout(() => {
      this.#waiting = undefined;
      this.#ask_next(ask);
    }, calm_after);
  }

  /** What was not asked yet. */
  #drop(): void {
    clearTimeout(this.#pause);
    this.#waiting = this.#next = undefined;
    this.pending = this.#under_way;
  }

  forget(): void {
    this.#asked = '';
    this.#drop();
    this.value = undefined;
    this.error = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#drop();
    clearTimeout(this.#timer);
  }

  async #ask(session: Session, parameters: Methods[M]['parameters'], question: string): Promise<void> {
    this.#under_way = this.pending = true;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => (this.slow = this.pending), slow_after);
    let value: Methods[M]['result'] | undefined;
    let error: RpcError | undefined;
    try {
      value = await session.call(this.#method, parameters);
    } catch (failure) {
      error = asRpcError(failure);
    }
    clearTimeout(this.#timer);
    this.#under_way = false;
    if (this.#stopped) return;
    if (error?.code === code.disconnected) this.#asked = ''; // asked again when the connection is back
    else if (this.#asked === question || value !== undefined) this.#show(value, error, parameters);
    const next = this.#next;
    this.#next = undefined;
    this.pending = next !== undefined || this.#waiting !== undefined;
    if (next === undefined) this.slow = false;
    next?.();
  }

  #show(value: Methods[M]['result'] | undefined, error: RpcError | undefined, of: unknown): void {
    this.error = error;
    if (value === undefined) return;
    this.value = value;
    this.of = of;
  }
}
