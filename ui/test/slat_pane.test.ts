import { configure, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeAll, expect, test, vi } from 'vitest';
import { flushSync } from 'svelte';
import Slat from '../src/panels/slat/Slat.svelte';
import { RightsMaps } from '../src/panels/slat/rights_maps.svelte';
import Tlb from '../src/panels/tlb/Tlb.svelte';
import type { Methods, Rights, TlbEntry } from '../src/rpc/interface';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

// A busy machine is slow, not wrong.
vi.setConfig({ testTimeout: 60_000 });
configure({ asyncUtilTimeout: 20_000 });

beforeAll(() => {
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 300 });
  Object.defineProperty(HTMLElement.prototype, 'clientWidth', { configurable: true, get: () => 900 });
  HTMLCanvasElement.prototype.getContext = () => null; // nothing is drawn here
  globalThis.matchMedia ??= (() => ({ matches: false })) as unknown as typeof matchMedia;
});

type Map = Methods['slat.map'];
const all: Rights = { mapped: true, read: true, write: true, kernel_execute: true, user_execute: true };
/** VTL 0 has no rights to page 2 from instant 101 on. */
function map({ focus, pages, vtl }: Map['parameters']): Map['result'] {
  return { pages: Array.from({ length: pages }, (_, page) => (vtl === 0 && page === 2 && (focus?.at ?? 0) > 100 ? '10' : '1f')).join('') };
}
const place = { address: '0x1234', text: hostile };
const answers = {
  'slat.map': map,
  'slat.page': () => ({ rights: [all, all] }),
  about: () => ({ state: 'readable' as const, rights: [], lines: [], owner: hostile }),
  'slat.history': () => ({ changes: [{ at: 77, vp: 0, by_vtl: 1, vtl: 0, before: 'r w kx ux', after: '-', place }], more: false }),
};
function shown(session: FakeSession, pane: typeof Slat | typeof Tlb = Slat) {
  const desk = fake_desk();
  render(InWorkspace, { props: { desk, of: pane, props: { session: session.session, parameters: {} } } });
  return desk;
}
const small = (more = {}) => {
  const session = new FakeSession({ ...answers, ...more });
  session.hello.memory = '0x64000'; // 100 pages
  return session;
};
const words = () => screen.getAllByRole('status').map((each) => each.textContent).join('\n');

test('the keyboard goes from page to page, and the line below says what they are', async () => {
  shown(small());
  const box = screen.getByRole('application', { name: 'Map of guest physical pages' });
  await waitFor(() => expect(words()).toContain('GPA 0x0   VTL 0 rw kx ux   VTL 1 rw kx ux'));
  await fireEvent.keyDown(box, { key: 'ArrowRight' });
  expect(words()).toContain('GPA 0x1000');
  await waitFor(() => expect(words()).toContain(`${hostile}   last change: instant 77, VTL 0 r w kx ux → -`));
  expect(document.querySelector('img')).toBeNull();
});

test('Enter shows the history of a page, with a jump to each change, and makes it what is looked at', async () => {
  const session = small();
  shown(session);
  const box = screen.getByRole('application');
  await fireEvent.keyDown(box, { key: 'ArrowRight' });
  await fireEvent.keyDown(box, { key: 'Enter' });
  expect(session.datum).toEqual({ kind: 'page', gpa: '0x1000', vtl: 0 });
  const table = await screen.findByRole('table', { name: 'History of the page' });
  expect(table.textContent).toContain(hostile);
  await fireEvent.click(screen.getByRole('button', { name: '77' }));
  expect(session.went).toEqual([{ at: 77, vp: 0 }]);
});

test('before VTL 1 is enabled its layer says so instead of showing everything permitted', async () => {
  shown(small({ 'slat.page': () => ({ rights: [all] }) }));
  await waitFor(() => expect(words()).toContain('VTL 0 rw kx ux'));
  await fireEvent.click(screen.getByRole('radio', { name: 'VTL 1' }));
  await screen.findByText(/VTL 1 is not enabled at this instant/);
});

test('playback goes to the instant after each change, and back over it', async () => {
  const events = [104, 105].map((at) => ({ at, vp: 0, vtl: 1, kind: 'ProtectionChange', name: '', arguments: [], outcome: '', a: '0x2000', b: '0x1', c: '0x0', place, text: `at ${at}` }));
  const session = small({
    'events.list': ({ from = 0, back = false }: Methods['events.list']['parameters']) => {
      const some = back ? events.filter((each) => each.at <= from).reverse() : events.filter((each) => each.at >= from);
      return { events: some.slice(0, 1), more: false };
    },
  });
  shown(session);
  for (const name of ['Next change of protection', 'Next change of protection', 'Previous change of protection']) {
    const before = session.went.length;
    await fireEvent.click(screen.getByRole('button', { name }));
    await waitFor(() => expect(session.went).toHaveLength(before + 1));
  }
  expect(session.went).toEqual([{ at: 105 }, { at: 106 }, { at: 105 }]);
  await fireEvent.click(screen.getByRole('button', { name: 'Previous change of protection' }));
  await screen.findByText('no earlier change');
});

test('an instant that was seen lately is not asked for again, and the former one is kept to compare', async () => {
  const session = small();
  const maps = new RightsMaps();
  for (const at of [100, 101, 100]) {
    maps.want(session.session, { focus: { at, vp: 0, vtl: 0 }, first: 0, pages: 100 });
    await waitFor(() => expect(maps.at).toBe(at));
  }
  expect(session.parameters_of('slat.map')).toHaveLength(4);
  expect([maps.shown?.of0[2], maps.former?.of0[2]]).toEqual([0x1f, 0x10]);
});

const entry: TlbEntry = { gva: '0x1000', gpa: '0x2000', spa: '0x2000', partition: 1, vp: 0, vtl: 0, pcid: 0, rights: 'W / r w kx ux' };
test('the TLB is filtered, and what the second stage took away since is marked', async () => {
  const session = small({ tlb: () => ({ entries: [entry, { ...entry, gva: '0x9000', gpa: '0x3000' }], used: 2, capacity: 8, misses: 4711 }), 'events.count': () => ({ count: 0 }) });
  session.focus = { at: 101, vp: 0, vtl: 0 };
  shown(session, Tlb);
  await waitFor(() => expect(screen.getAllByRole('option')).toHaveLength(2));
  expect(document.body.textContent).toContain('4,711 misses');
  await fireEvent.click(screen.getByRole('checkbox', { name: /compare with the SLAT/ }));
  await screen.findByText('! stale: still permits r w kx ux');
  await fireEvent.click(screen.getByRole('checkbox', { name: 'only stale' }));
  await waitFor(() => expect(screen.getAllByRole('option')).toHaveLength(1));
  await fireEvent.input(screen.getByRole('textbox', { name: 'Filter' }), { target: { value: hostile } });
  await screen.findByText('No entry is like that.');
  flushSync();
});
