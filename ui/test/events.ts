// Events of a run that never was, and a program that has them.
import type { Event, Methods } from '../src/rpc/interface';
import { code, RpcError } from '../src/rpc/errors';

export function event_of(number: number, more: Partial<Event> = {}): Event {
  return {
    at: 10 * number,
    number,
    vp: 0,
    vtl: number % 2,
    kind: number % 2 === 0 ? 'Hypercall' : 'VtlCall',
    name: `call ${number}`,
    arguments: [
      { name: 'target_vtl', value: '1' },
      { name: 'reps', value: '3/4' },
    ],
    outcome: number % 3 === 0 ? 'Success' : 'InvalidParameter (0x5)',
    a: '0x10001',
    b: '0x0',
    c: '0x0',
    place: { address: '0xfffff80000001000', text: 'nt!Function+0x4' },
    text: '',
    ...more,
  };
}

/** Queries of one form: kind == NAME; "bad" is a mistake in column 5. */
export function event_answers(events: Event[]) {
  const taken = (query: string | undefined): Event[] => {
    if (query === undefined) return events;
    if (query.includes('bad')) throw new RpcError(code.invalidParameters, "query, column 5: 'bad' is nothing");
    const kinds = [...query.matchAll(/kind == (\w+)/g)].map((match) => match[1]);
    return events.filter((event) => kinds.includes(event.kind));
  };
  return {
    'events.slice': ({ first, count, query }: Methods['events.slice']['parameters']): Methods['events.slice']['result'] => {
      const rows = taken(query);
      return { events: rows.slice(first, first + count), total: rows.length, complete: true, looked_at: events.length };
    },
    'events.locate': ({ at, query }: Methods['events.locate']['parameters']): Methods['events.locate']['result'] => {
      const row = taken(query).findIndex((event) => event.at >= at);
      return { row: row < 0 ? taken(query).length : row, complete: true };
    },
    'breakpoint.events': () => ({ kinds: [{ name: 'hypercall', type: 'a hypercall', offset: 0, size: 0 }] }),
    registers: () => ({
      registers: [{ name: 'rbx', value: '0x10900d00001', bits: 64, group: 'general' as const, shared: false }].concat(
        Array.from({ length: 6 }, (_, i) => ({ name: `xmm${10 + i}`, value: i === 0 ? '0x22220000000000001111' : '0x0', bits: 128, group: 'sse' as never, shared: true })),
      ),
      active: true,
      enabled: true,
    }),
  };
}

/** In a page without layout every element is this high. */
export function with_height(pixels: number): void {
  for (const name of ['clientHeight', 'offsetHeight'] as const)
    Object.defineProperty(HTMLElement.prototype, name, { configurable: true, get: () => pixels });
}
export const settle = (milliseconds = 20) => new Promise((done) => setTimeout(done, milliseconds));
