import { expect, test, vi } from 'vitest';
import { destinations } from '../src/shell/destinations';
import type { Workspace } from '../src/core/workspace.svelte';
import { RpcError } from '../src/rpc/errors';

function workspace(answers: Record<string, unknown>) {
  const session = {
    focus: { at: 5, vp: 0, vtl: 1 },
    datum: undefined,
    query: '',
    say: vi.fn(),
    go: vi.fn(),
    run: vi.fn(),
    call: vi.fn(async (method: string) => {
      const answer = answers[method];
      if (answer instanceof Error) throw answer;
      return answer;
    }),
  };
  return { session, dock: { open: vi.fn() }, follow_link: vi.fn() };
}
const ask = (text: string, desk: ReturnType<typeof workspace>) => destinations(text, desk as unknown as Workspace);
const names = {
  registers: { registers: [{ name: 'lstar', value: '0x1', group: 'msr', bits: 64, shared: false }] },
  'symbols.find': { symbols: [{ place: { address: '0x10', text: 'nt!lstar_user' } }], more: false },
};

test('@ is an instant, with separators as people write them', async () => {
  const desk = workspace({});
  const [offer] = await ask('@4,711', desk);
  offer!.run();
  expect(desk.session.go).toHaveBeenCalledWith({ at: 4711 });
  expect(await ask('@x', desk)).toEqual([]);
});

test('# is a row of the log, and goes to its processor and VTL', async () => {
  const desk = workspace({ 'events.slice': { events: [{ at: 9, vp: 1, vtl: 0, text: 'Hypercall' }], total: 3 } });
  (await ask('#2', desk))[0]!.run();
  expect(desk.session.go).toHaveBeenCalledWith({ at: 9, vp: 1, vtl: 0 });
});

test('a word is a register, a symbol, or the name of events', async () => {
  const desk = workspace(names);
  const offers = await ask('lstar', desk);
  expect(offers.map((offer) => offer.note)).toEqual(['msr register, VTL 1', '0x10', 'in the log', 'runs there', 'runs back']);
  offers[0]!.run();
  expect(desk.session.datum).toEqual({ kind: 'register', name: 'lstar', vtl: 1 });
  offers[4]!.run();
  expect(desk.session.run).toHaveBeenCalledWith({ back: true, until: 'name ~ "*lstar*"', breakpoints: false });
});

test('what the program refuses is said, and a quote never reaches a query', async () => {
  const desk = workspace({ evaluate: new RpcError(-32602, 'column 1: what is that?'), ...names });
  expect((await ask('?"', desk))[0]!.title).toBe('column 1: what is that?');
  for (const offer of await ask('a!b"*', desk)) expect(offer.title).not.toContain('Events named');
});

test('a link of another start looks where it says', async () => {
  const desk = workspace({});
  (await ask('http://127.0.0.1:1/#t=0&at=12', desk))[0]!.run();
  expect(desk.follow_link).toHaveBeenCalledWith('#t=0&at=12');
});
