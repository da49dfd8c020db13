// A session without a program: answers come from functions, and what was asked is kept.
import type { Datum } from '../src/core/datum';
import type { Session } from '../src/core/session.svelte';
import { code, RpcError } from '../src/rpc/errors';
import type { Breakpoint, Focus, MethodName, Methods, Stop } from '../src/rpc/interface';

type Answers = { [M in MethodName]?: (parameters: Methods[M]['parameters']) => Methods[M]['result'] };

export class FakeSession {
  connection_state = $state('open');
  focus = $state.raw<Focus>({ at: 100, vp: 0, vtl: 0 });
  stop = $state.raw<Stop>();
  end = $state(1000);
  moving = $state<string>();
  branch = $state<string>();
  datum = $state.raw<Datum>();
  query = $state('');
  output = $state.raw<string[]>([]);
  breakpoints = $state.raw<Breakpoint[]>([]);
  epoch = $state(0);
  ready = $state(true);
  number = 0;
  hello = { memory: '0x8000000', processors: 1, methods: [] as string[] };
  status = { beginning: 0 };
  said: string[] = [];
  asked: { method: MethodName; parameters: Record<string, unknown> }[] = [];
  went: Record<string, unknown>[] = [];
  answers: Answers;

  constructor(answers: Answers = {}) {
    this.answers = answers;
    this.hello.methods = Object.keys(answers);
  }

  async call(method: MethodName, parameters: Record<string, unknown>): Promise<unknown> {
    this.asked.push({ method, parameters });
    const answer = this.answers[method] as ((parameters: unknown) => unknown) | undefined;
    if (answer === undefined) throw new RpcError(code.notImplemented, `${method} is not there yet`);
    return answer(parameters);
  }
  serves(method: MethodName): boolean {
    return this.hello.methods.includes(method);
  }
  looking(change: Partial<Focus>): Focus {
    return { ...this.focus, ...change };
  }
  say(text: string): void {
    this.said.push(text);
  }
  async go(change: Record<string, unknown>): Promise<boolean> {
    this.went.push(change);
    this.focus = { ...this.focus, ...change };
    return true;
  }
  ran: Record<string, unknown>[] = [];
  async run(run: Record<string, unknown> = {}): Promise<boolean> {
    this.ran.push(run);
    return true;
  }
  async refresh(): Promise<void> {
    this.epoch += 1;
  }

  /** For components. */
  get session(): Session {
    return this as unknown as Session;
  }
  parameters_of(method: MethodName): Record<string, unknown>[] {
    return this.asked.filter((each) => each.method === method).map((each) => each.parameters);
  }
}

export interface Opened {
  panel: string;
  parameters: Record<string, unknown> | undefined;
}
/** A workspace whose dock keeps what it was told to open. */
export function fake_desk() {
  const opened: Opened[] = [];
  const announced: string[] = [];
  const commands: { id: string; keys?: readonly string[]; run?: () => unknown }[] = [];
  return {
    opened,
    announced,
    dock: { open: (panel: string, parameters?: Record<string, unknown>) => opened.push({ panel, parameters }) },
    announce: (text: string) => announced.push(text),
    commands: { add: (more: typeof commands) => (commands.push(...more), () => undefined), find: (id: string) => commands.find((command) => command.id === id), label: (id: string) => id, list: commands },
  };
}
export type FakeDesk = ReturnType<typeof fake_desk>;

/** What attackers would like a page to do. */
export const hostile = '<img src=x onerror="globalThis.broken=1">';
