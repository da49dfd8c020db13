// What a pane shows of the program, kept up to date.
import { asRpcError, code, type RpcError } from '../rpc/errors';
import type { MethodName, Methods } from '../rpc/interface';
import type { Session } from './session.svelte';

/** An answer is slow from here on, and the pane says so: milliseconds. */
const slow_after = 150;

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

/**
 * Asks `method` whenever what `parameters` returns changes, or the session shows other things at the same focus. At most one
 * question is under way: of those that came up meanwhile, the last is asked. `parameters` returning undefined asks nothing.
 * `also`: what else the answer depends on; its change asks the same again. To be called while a component is initialised.
 */
export function view<M extends MethodName>(
  session: () => Session,
  method: M,
  parameters: () => Methods[M]['parameters'] | undefined,
  also?: () => string,
): View<Methods[M]['result']> {
  const state = new Viewed<M>(method);
  $effect(() => {
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

  constructor(method: M) {
    this.#method = method;
  }

  want(session: Session, parameters: Methods[M]['parameters'], state: string): void {
    const question = `${session.number} ${state} ${JSON.stringify(parameters)}`;
    if (question === this.#asked) return;
    this.#asked = question;
    const ask = () => void this.#ask(session, parameters, question);
    if (this.#under_way) this.#next = ask;
    else ask();
  }

  forget(): void {
    this.#asked = '';
    this.#next = undefined;
    this.value = undefined;
    this.error = undefined;
  }

  stop(): void {
    this.#stopped = true;
    this.#next = undefined;
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
    this.pending = next !== undefined;
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
