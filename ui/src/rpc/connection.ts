// The interface over one WebSocket: calls, answers in any order, notifications; it comes back by itself after an interruption.
import { asRpcError, code, RpcError } from './errors';
import type { MethodName, Methods } from './interface';

/**
 * connecting: for the first time. open: calls are answered. lost: it was open, and tries again. refused: the server is there
 * and does not know this token. gone: nobody listens there.
 */
export type ConnectionState = 'connecting' | 'open' | 'lost' | 'refused' | 'gone';

type Call = { resolve: (result: unknown) => void; reject: (error: RpcError) => void };
type Listener = (parameters: unknown) => void;

const firstPause = 250;
const longestPause = 4000; // milliseconds between attempts

export interface ConnectionOptions {
  /** Where the page is from: http://127.0.0.1:7421 */
  origin: string;
  token: string;
  /** Which of the server's runs: 1 is the one that is compared with. */
  run?: number;
  onstate: (state: ConnectionState) => void;
}

export class Connection {
  #options: ConnectionOptions;
  #socket: WebSocket | undefined;
  #calls = new Map<number, Call>();
  #listeners = new Map<string, Set<Listener>>();
  #next = 1;
  #pause = firstPause;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #closed = false;
  #state: ConnectionState = 'connecting';

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#open();
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Rejects with RpcError. */
  call<M extends MethodName>(method: M, parameters: Methods[M]['parameters']): Promise<Methods[M]['result']> {
    const socket = this.#socket;
    if (socket === undefined || socket.readyState !== WebSocket.OPEN)
      return Promise.reject(new RpcError(code.disconnected, 'the program cannot be reached'));
    const id = this.#next++;
    return new Promise((resolve, reject) => {
      this.#calls.set(id, { resolve: resolve as Call['resolve'], reject });
      socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params: parameters }));
    });
  }

  /** Until the returned function is called. */
  on(notification: string, listener: Listener): () => void {
    const listeners = this.#listeners.get(notification) ?? new Set();
    this.#listeners.set(notification, listeners.add(listener));
    return () => listeners.delete(listener);
  }

  /** For good. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.close();
    this.#fail();
  }

  /** Now, rather than when the pause is over. */
  retry(): void {
    if (this.#closed || this.#socket !== undefined) return;
    clearTimeout(this.#timer);
    this.#open();
  }

  #open(): void {
    const { origin, token, run } = this.#options;
    const url = `${origin.replace(/^http/, 'ws')}/ws?t=${encodeURIComponent(token)}${run === undefined ? '' : `&run=${run}`}`;
    const socket = new WebSocket(url);
    this.#socket = socket;
    let was_open = false;
    socket.onopen = () => {
      was_open = true;
      this.#pause = firstPause;
      this.#become('open');
    };
    socket.onmessage = (message) => this.#take(String(message.data));
    socket.onclose = () => {
      if (this.#socket === socket) this.#socket = undefined;
      this.#fail();
      if (!this.#closed) void this.#come_back(was_open);
    };
  }

  #become(state: ConnectionState): void {
    if (state === this.#state && state !== 'open') return;
    this.#state = state;
    this.#options.onstate(state);
  }

  /** A WebSocket does not tell why it was refused: a plain request does. */
  async #come_back(was_open: boolean): Promise<void> {
    if (was_open) this.#become('lost');
    else this.#become(await this.#why());
    if (this.#closed || this.#state === 'refused') return;
    this.#timer = setTimeout(() => this.#open(), this.#pause);
    this.#pause = Math.min(this.#pause * 2, longestPause);
  }

  async #why(): Promise<ConnectionState> {
    try {
      const answer = await fetch(`${this.#options.origin}/rpc`, {
        method: 'POST',
        headers: { Authorization: `Bearer ${this.#options.token}`, 'Content-Type': 'application/json' },
        body: JSON.stringify({ jsonrpc: '2.0', id: 0, method: 'hello', params: {} }),
      });
      return answer.status === 403 ? 'refused' : 'lost';
    } catch {
      return this.#state === 'lost' ? 'lost' : 'gone';
    }
  }

  #fail(): void {
    const calls = [...this.#calls.values()];
    this.#calls.clear();
    for (const call of calls) call.reject(new RpcError(code.disconnected, 'the connection to the program ended'));
  }

  #take(text: string): void {
    let message: { id?: number; result?: unknown; error?: { code: number; message: string }; method?: string; params?: unknown };
    try {
      message = JSON.parse(text);
    } catch (error) {
      console.error('not JSON from the program', asRpcError(error).message);
      return;
    }
    if (message.method !== undefined) {
      for (const listener of this.#listeners.get(message.method) ?? []) listener(message.params);
      return;
    }
    const call = this.#calls.get(message.id ?? -1);
    if (call === undefined) return;
    this.#calls.delete(message.id!);
    if (message.error !== undefined) call.reject(new RpcError(message.error.code, message.error.message));
    else call.resolve(message.result);
  }
}
