import { fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Methods, Rights } from '../src/rpc/interface';
import Address from '../src/parts/Address.svelte';
import { next_access, who_wrote } from '../src/parts/address_actions';
import { copy_as, type Piece } from '../src/parts/copy_as';
import { beside, end_hover, hover_after } from '../src/parts/hover';
import { cells_of, why_at } from '../src/parts/memory_cells';
import { close_menu, placed } from '../src/parts/menu';
import { rights_sentence, rights_text } from '../src/parts/rights';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

const all: Rights = { mapped: true, read: true, write: true, kernel_execute: true, user_execute: true };
const none: Rights = { mapped: true, read: false, write: false, kernel_execute: false, user_execute: false };

const about: Methods['about']['result'] = {
  place: { address: '0x1000', module: hostile, text: hostile },
  state: 'denied',
  rights: [none, all],
  owner: hostile,
  lines: [],
};
const walk = (granted: boolean): Methods['walk']['result'] => ({ references: [], granted, rule: '', gpa: '0x5123', rights: [], cycles: 0, text: '' });

function shown(session: FakeSession, more: Record<string, unknown> = {}) {
  const desk = fake_desk();
  render(InWorkspace, { props: { desk, of: Address, props: { session: session.session, value: '0x1000', ...more } } });
  return desk;
}

beforeEach(() => void vi.useFakeTimers());
afterEach(() => {
  end_hover();
  close_menu();
  vi.useRealTimers();
});

test('a moment on a number says what it is, as text, and Escape closes it', async () => {
  shown(new FakeSession({ about: () => about }));
  const button = screen.getByRole('button');
  await fireEvent.pointerEnter(button);
  vi.advanceTimersByTime(hover_after - 1);
  expect(screen.queryByRole('tooltip')).toBeNull();
  await vi.advanceTimersByTimeAsync(2);
  const tip = screen.getByRole('tooltip');
  expect(tip.textContent).toContain(hostile);
  expect(tip.textContent).toContain('VTL 1 rw kx ux');
  expect(tip.textContent).toContain('?? denied');
  expect(tip.querySelector('img')).toBeNull();
  expect(button.getAttribute('aria-describedby')).toBe(tip.id);
  await fireEvent.keyDown(button, { key: 'Escape' });
  expect(screen.queryByRole('tooltip')).toBeNull();
});

test('the keyboard sees the same as the pointer', async () => {
  shown(new FakeSession({ about: () => about }));
  await fireEvent.focus(screen.getByRole('button'));
  await vi.advanceTimersByTimeAsync(hover_after + 1);
  expect(screen.getByRole('tooltip')).toBeTruthy();
});

test('a program that does not serve the row is not asked, and that is said', async () => {
  const session = new FakeSession();
  shown(session);
  await fireEvent.pointerEnter(screen.getByRole('button'));
  await vi.advanceTimersByTimeAsync(hover_after + 1);
  expect(screen.getByRole('tooltip').textContent).toContain('does not tell');
  expect(session.asked).toEqual([]);
});

test('a click on data shows memory, a click on code shows code', async () => {
  const place = { address: '0x1000', module: 'nt', text: 'nt!x' };
  for (const [granted, panel] of [[false, 'memory'], [true, 'code']] as const) {
    const session = new FakeSession({ walk: () => walk(granted), 'symbols.at': () => ({ place }) });
    const desk = shown(session, { vtl: 1, text: `at ${panel}` });
    await fireEvent.click(screen.getByRole('button', { name: `at ${panel}` }));
    await vi.advanceTimersByTimeAsync(0);
    expect(session.datum).toEqual({ kind: 'memory', space: 'gva', address: '0x1000', length: 8, vtl: 1 });
    expect(desk.opened.map((each) => each.panel)).toEqual([panel]);
  }
});

test('a middle click opens another pane there', async () => {
  const desk = shown(new FakeSession(), { space: 'gpa', vtl: 1 });
  await fireEvent(screen.getByRole('button'), new MouseEvent('auxclick', { button: 1, bubbles: true }));
  expect(desk.opened).toEqual([{ panel: 'memory', parameters: { space: 'gpa', address: '0x1000', vtl: 1 } }]);
});

test.each([{ key: 'ContextMenu' }, { key: 'F10', shiftKey: true }])('the menu opens by key %o, and its keyboard works', async (key) => {
  const session = new FakeSession({ walk: () => walk(true) });
  const desk = shown(session);
  screen.getByRole('button').focus();
  await fireEvent.keyDown(screen.getByRole('button'), key);
  const menu = screen.getByRole('menu');
  expect(document.activeElement?.textContent).toContain('Follow');
  await fireEvent.keyDown(menu, { key: 'p' }); // the first that begins so
  expect(document.activeElement?.textContent).toContain('Page walk');
  await fireEvent.keyDown(menu, { key: 'ArrowDown' });
  expect(document.activeElement?.textContent).toContain('SLAT map');
  await fireEvent.click(document.activeElement!);
  await vi.advanceTimersByTimeAsync(0);
  expect(screen.queryByRole('menu')).toBeNull();
  expect(session.datum).toEqual({ kind: 'page', gpa: '0x5000', vtl: 0 });
  expect(desk.opened[0]?.panel).toBe('slat');
});

test('what cannot be done says why, and does nothing', async () => {
  const desk = shown(new FakeSession(), { space: 'gpa' });
  await fireEvent.contextMenu(screen.getByRole('button'));
  const walk_item = screen.getByRole('menuitem', { name: 'Page walk' });
  expect(walk_item.getAttribute('aria-disabled')).toBe('true');
  expect(walk_item.title).not.toBe('');
  await fireEvent.click(walk_item);
  expect(desk.opened).toEqual([]);
});

test('Escape gives the focus back', async () => {
  shown(new FakeSession());
  const button = screen.getByRole('button');
  button.focus();
  await fireEvent.contextMenu(button);
  await fireEvent.keyDown(screen.getByRole('menu'), { key: 'Escape' });
  expect(document.activeElement).toBe(button);
});

const place = { address: '0x2000', text: '0x2000' };
test('who wrote it goes to the instant before the write, and says what is known', async () => {
  const session = new FakeSession({ who_wrote: () => ({ found: true, at: { at: 7, vp: 0, vtl: 1 }, place, text: 'written by nt!x' }) });
  await who_wrote(session.session, { space: 'gpa', address: '0x1000', vtl: 1 });
  expect(session.parameters_of('who_wrote')[0]).toMatchObject({ what: 'memory', space: 'gpa', address: '0x1000', length: 8, focus: { vtl: 1 } });
  expect(session.went).toEqual([{ at: 7, vp: 0, vtl: 1 }]);
  expect(session.said).toEqual(['written by nt!x']);
});

test('an access watchpoint that another stop came before is taken away again', async () => {
  const session = new FakeSession({
    'breakpoint.set': ({ kind, what }) => ({
      breakpoint: { id: 9, kind, what, text: what, ignore: 0, hits: 0, enabled: true, temporary: true, resolved: true },
    }),
    'breakpoint.remove': () => ({}),
  });
  const stop = { reason: 'end' as const, focus: session.focus, place, instruction: 0, ring: 0, waits: false, text: 'the end' };
  const target = { space: 'gva' as const, address: '0x1000', vtl: 0 };
  session.stop = { ...stop, breakpoints: [] };
  await next_access(session.session, target, true);
  expect(session.parameters_of('breakpoint.set')[0]).toEqual({ kind: 'access', what: 'gva:0x1000+8', temporary: true });
  expect(session.parameters_of('breakpoint.remove')).toEqual([{ id: 9 }]);
  session.stop = { ...stop, breakpoints: [9] };
  await next_access(session.session, target, true);
  expect(session.parameters_of('breakpoint.remove')).toHaveLength(1);
});

const piece: Piece = { space: 'gva', vtl: 1, address: 0xfffff80012347a40n, length: 4, cells: [0x41, 0, 'denied', 'unmapped'] };
test.each([
  ['gdb', piece, 'x/1xg 0xfffff80012347a40'],
  ['windbg', piece, 'dq fffff800`12347a40 L1'],
  ['windbg', { ...piece, space: 'gpa', address: 0x5000n, length: 64 }, '!dq 5000 L8'],
  ['gdb', { ...piece, space: 'spa', address: 0x5000n, length: 17 }, 'monitor dq spa:0x5000 L3'],
  ['plain', { ...piece, cells: [0x41, 0x3c, 'denied', 'unmapped'] }, `fffff80012347a40  41 3c ?? --${' '.repeat(38)}A<?-`],
] as const)('copied as %s', (form, what, text) => {
  expect(copy_as(form, what)).toBe(text);
});

test('a C array says which of its zeros were not read', () => {
  expect(copy_as('c', piece)).toContain('= {\n  0x41, 0x00, 0x00 /* denied */, 0x00 /* unmapped */,\n};');
});

test('physical memory in gdb is asked for with its switch, and the switch is put back', () => {
  expect(copy_as('gdb', { ...piece, space: 'gpa' }).split('\n')).toEqual([
    'maintenance packet Qqemu.PhyMemMode:1',
    'x/1xg 0xfffff80012347a40',
    'maintenance packet Qqemu.PhyMemMode:0',
  ]);
});

test('parts of memory become cells: denied, unmapped, device and what nobody spoke of are told apart', () => {
  const parts = [
    { offset: 0, length: 2, state: 'readable' as const, bytes: '41ff' },
    { offset: 2, length: 1, state: 'denied' as const, why: 'a rule' },
    { offset: 3, length: 1, state: 'unmapped' as const },
    { offset: 4, length: 9, state: 'device' as const },
  ];
  expect(cells_of(parts, 6)).toEqual([0x41, 0xff, 'denied', 'unmapped', 'device', 'device']);
  expect(cells_of([], 1)).toEqual(['unknown']);
  expect(why_at(parts, 2)).toBe('a rule');
});

test('rights have four places', () => {
  expect(rights_text(all)).toBe('rw kx ux');
  expect(rights_text({ ...none, read: true })).toBe('r- -- --');
  expect(rights_text({ ...all, mapped: false })).toBe('not mapped');
  expect(rights_sentence(none)).toBe('no rights');
});

test('a menu stays inside the window, and a tooltip never covers what it is about', () => {
  expect(placed({ x: 790, y: 590 }, { width: 200, height: 300 }, { width: 800, height: 600 })).toEqual({ x: 596, y: 296 });
  const anchor = { left: 10, top: 560, bottom: 580 };
  const { y } = beside(anchor, { width: 100, height: 50 }, { width: 800, height: 600 });
  expect(y + 50).toBeLessThanOrEqual(anchor.top);
});
