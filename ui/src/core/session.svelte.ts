// One run that is debugged: the connection, where the session stands, and motion. Panes read it and call what moves.
import { Connection, type ConnectionState } from '../rpc/connection';
import { asRpcError, code, RpcError } from '../rpc/errors';
import type { Bookmark, Breakpoint, Focus, MethodName, Methods, Stop } from '../rpc/interface';
import type { Datum } from './datum';

type Hello = Methods['hello']['result'];
type Status = Methods['status']['result'];
type Step = Methods['step']['parameters'];
type Run = Methods['run']['parameters'];

/** Milliseconds without motion before the status is read. */
const status_pause = 200;

/** What somebody should hear of that no pane shows. */
export interface Message {
  text: string;
  severity: 'info' | 'warning' | 'error';
}

export class Session {
  connection_state = $state<ConnectionState>('connecting');
  hello = $state.raw<Hello>();
  status = $state.raw<Status>();
  /** Where panes look from. Follows the program's session, which other clients move too, unless pinned. */
  focus = $state.raw<Focus>({ at: 0, vp: 0, vtl: 0 });
  /** Where the last motion ended, and why. */
  stop = $state.raw<Stop>();
  /** Whose the code at the focus is, where no image covers it: "the hypercall page". */
  owner = $state<string>();
  /** The last instant known: it grows while a live machine runs. */
  end = $state(0);
  /** A motion that has not ended: what it is. */
  moving = $state<string>();
  breakpoints = $state.raw<Breakpoint[]>([]);
  bookmarks = $state.raw<Bookmark[]>([]);
  branch = $state<string>();
  /** What guests printed while somebody watched. */
  output = $state.raw<string[]>([]);
  /** The thing that is looked at. */
  datum = $state.raw<Datum>();
  /** What the log shows: an expression over events; empty: all. */
  query = $state('');
  /** Motions of other clients do not move this page. */
  pinned = $state(false);
  /** The focus is being dragged: where it passes is neither announced nor kept for the way back. */
  scrubbing = $state(false);
  /** Grows when the same focus shows other things: a branch was edited, symbols were read, another run was opened. */
  epoch = $state(0);
  message = $state.raw<Message>();
  /** Everything was asked for the first time. */
  ready = $state(false);

  /** Hears of every call of this page: what records what is done. */
  oncall: ((method: MethodName, parameters: object) => void) | undefined;
  readonly connection: Connection;
  /** 0: the run; 1: the one that it is compared with. */
  readonly number: number;
  #waiting: Step | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(origin: string, token: string, number = 0) {
    this.number = number;
    this.connection = new Connection({
      origin,
      token,
      ...(number === 0 ? {} : { run: number }),
      onstate: (state) => {
        this.connection_state = state;
        if (state === 'open') void this.#begin();
      },
    });
    this.connection.on('moved', (stop) => this.#heard_of(stop as Stop));
    this.connection.on('breakpoints', (answer) => (this.breakpoints = (answer as { breakpoints: Breakpoint[] }).breakpoints));
    this.connection.on('bookmarks', (answer) => (this.bookmarks = (answer as { bookmarks: Bookmark[] }).bookmarks));
    this.connection.on('branch', (status) => this.#heard_of_branch((status as { branch?: string }).branch));
    this.connection.on('output', (output) => this.#heard_output((output as { text: string }).text));
    this.connection.on('opened', () => void this.#begin());
  }

  /** Rejects with RpcError. Panes use view(). */
  call<M extends MethodName>(method: M, parameters: Methods[M]['parameters']): Promise<Methods[M]['result']> {
    this.oncall?.(method, parameters);
    return this.connection.call(method, parameters);
  }

  /** The program serves this row of the table. */
  serves(method: MethodName): boolean {
    return this.hello?.methods.includes(method) ?? false;
  }

  /** The focus as another VTL or processor would have it, for panes that show several. */
  looking(change: Partial<Focus>): Focus {
    const { frame: _, ...rest } = this.focus;
    return { ...rest, ...change };
  }

  say(text: string, severity: Message['severity'] = 'info'): void {
    this.message = { text, severity };
  }

  // --- motion

  /** To an instant, processor, VTL or frame. */
  async go(change: Methods['focus']['parameters']): Promise<boolean> {
    return this.#move('going there', () => this.call('focus', change));
  }

  /** Steps of one kind that arrive while one is under way are done together: holding a key down never queues up. */
  async step(step: Step): Promise<void> {
    const count = step.count ?? 1;
    if (this.moving !== undefined) {
      const same = this.#waiting?.kind === step.kind && this.#waiting.back === step.back && this.#waiting.by === step.by;
      this.#waiting = same ? { ...step, count: Math.min((this.#waiting?.count ?? 0) + count, 8) } : { ...step, count };
      return;
    }
    await this.#move(`stepping ${step.back ? 'back' : step.kind}`, () => this.call('step', step));
    const next = this.#waiting;
    this.#waiting = undefined;
    if (next !== undefined) await this.step(next);
  }

  async run(run: Run): Promise<boolean> {
    return this.#move(run.back ? 'running back' : 'running', () => this.call('run', run));
  }

  async interrupt(): Promise<void> {
    this.#waiting = undefined;
    try {
      await this.call('interrupt', {});
    } catch (error) {
      this.say(asRpcError(error).message, 'error');
    }
  }

  /** Everything again: what a pane changed (a branch, symbols) shows at once. */
  async refresh(): Promise<void> {
    this.epoch += 1;
    await this.#read_status();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.connection.close();
  }

  // --- what is heard

  async #move(what: string, call: () => Promise<{ stop: Stop }>): Promise<boolean> {
    this.moving = what;
    try {
      const { stop } = await call();
      this.#arrive(stop);
      return true;
    } catch (error) {
      const problem = asRpcError(error);
      if (problem.code !== code.disconnected) this.say(problem.message, 'warning');
      return false;
    } finally {
      this.moving = undefined;
    }
  }

  #arrive(stop: Stop): void {
    this.stop = stop;
    this.focus = stop.focus;
    this.owner = undefined;
    if (stop.place.module === undefined) void this.#find_owner(stop);
    if (stop.focus.at > this.end) this.end = stop.focus.at;
    this.#status_soon();
  }

  async #find_owner(stop: Stop): Promise<void> {
    if (!this.serves('about')) return;
    try {
      const { owner } = await this.call('about', { number: stop.place.address, focus: stop.focus });
      if (this.stop === stop) this.owner = owner;
    } catch {
      // a name less
    }
  }

  /** The status costs a hash of the whole state: it is read when nothing has moved for a moment. */
  #status_soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#read_status(), status_pause);
  }

  #heard_of(stop: Stop): void {
    if (this.moving !== undefined) return; // our own: its answer is on the way
    if (this.pinned) this.end = Math.max(this.end, stop.focus.at);
    else this.#arrive(stop);
  }

  #heard_of_branch(branch: string | undefined): void {
    this.branch = branch;
    void this.refresh();
  }

  #heard_output(text: string): void {
    const kept = 2000;
    this.output = [...this.output, text].slice(-kept);
  }

  async #begin(): Promise<void> {
    try {
      const [hello, , breakpoints, bookmarks] = await Promise.all([
        this.call('hello', { client: 'browser' }),
        this.#read_status(),
        this.call('breakpoint.list', {}),
        this.call('bookmark.list', {}),
      ]);
      this.hello = hello;
      this.breakpoints = breakpoints.breakpoints;
      this.bookmarks = bookmarks.bookmarks;
      this.epoch += 1;
      this.ready = true;
    } catch (error) {
      if (!(error instanceof RpcError) || error.code !== code.disconnected) this.say(asRpcError(error).message, 'error');
    }
  }

  async #read_status(): Promise<void> {
    try {
      const status = await this.call('status', {});
      this.status = status;
      this.end = status.end;
      this.branch = status.branch;
      if (!this.ready) this.focus = status.focus;
    } catch (error) {
      const problem = asRpcError(error);
      if (problem.code !== code.disconnected) this.say(problem.message, 'error');
    }
  }
}
