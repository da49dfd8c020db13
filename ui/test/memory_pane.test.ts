import { configure, fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeAll, expect, test, vi } from 'vitest';
import { flushSync } from 'svelte';
import Memory from '../src/panels/memory/Memory.svelte';
import Walk from '../src/panels/walk/Walk.svelte';
import type { MemoryPart, Methods, Rights } from '../src/rpc/interface';
import { code, RpcError } from '../src/rpc/errors';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

// A busy machine is slow, not wrong.
vi.setConfig({ testTimeout: 60_000 });
configure({ asyncUtilTimeout: 20_000 });

beforeAll(() => {
  // happy-dom lays nothing out
  Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 200 });
  Object.defineProperty(HTMLElement.prototype, 'clientWidth', { configurable: true, get: () => 900 });
});

type Read = Methods['memory.read'];
const denied: MemoryPart = { offset: 0, length: 0x100000, state: 'denied', why: 'stage 2 denies reading' };
/** VTL 0 is denied; VTL 1 reads the low byte of each address. */
function memory({ focus, address, length }: Read['parameters']): Read['result'] {
  if (focus?.vtl === 0) return { parts: [denied] };
  const bytes = Array.from({ length }, (_, i) => ((Number(BigInt(address) & 0xffn) + i) & 0xff).toString(16).padStart(2, '0')).join('');
  return { parts: [{ offset: 0, length, state: 'readable', bytes }] };
}
const processes = () => ({ processes: [{ name: hostile, vtl: 0, pid: 4, cr3: '0x1000', current: true }] });

function shown(session: FakeSession, pane: typeof Memory | typeof Walk = Memory, parameters: Record<string, unknown> = {}) {
  const desk = fake_desk();
  render(InWorkspace, { props: { desk, of: pane, props: { session: session.session, parameters } } });
  return desk;
}
const row = (name: string | RegExp) => screen.findByRole('row', { name });

test('the datum is shown, and what VTL 0 is denied is ?? with the rule', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes });
  session.datum = { kind: 'memory', space: 'gva', address: '0x5000', length: 8, vtl: 0 };
  shown(session);
  expect((await row(/^00000000`00005000/)).textContent).toContain('?? ?? ??');
  await waitFor(() => expect(screen.getByRole('status').textContent).toContain('denied: stage 2 denies reading'));
  expect(document.querySelector('img')).toBeNull();
  expect(screen.getByRole('option', { name: hostile })).toBeTruthy();
});

test('side by side both worlds see the same address', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes });
  session.datum = { kind: 'memory', space: 'gva', address: '0x5000', length: 1, vtl: 0 };
  shown(session);
  await fireEvent.click(screen.getByRole('checkbox', { name: 'VTL 0 | VTL 1' }));
  await waitFor(async () => expect((await row(/^00000000`00005000/)).textContent).toMatch(/\?\? \?\?.*00 01 02/));
  expect(screen.getByRole('columnheader', { name: 'as VTL 1' })).toBeTruthy();
});

test('the segmented control chooses by arrow key', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes });
  session.datum = { kind: 'memory', space: 'gva', address: '0x5000', length: 1, vtl: 0 };
  shown(session);
  await fireEvent.keyDown(screen.getByRole('radio', { name: 'GVA in VTL 0' }), { key: 'ArrowRight' });
  expect(screen.getByRole('radio', { name: 'GVA in VTL 1' }).getAttribute('aria-checked')).toBe('true');
  await waitFor(async () => expect((await row(/^00000000`00005000/)).textContent).toContain('00 01 02'));
});

test('arrow keys move, Shift extends, and the datum is what is selected', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes });
  session.datum = { kind: 'memory', space: 'gpa', address: '0x5000', length: 1, vtl: 1 };
  shown(session);
  const grid = screen.getByRole('grid');
  await fireEvent.keyDown(grid, { key: 'ArrowDown' });
  await fireEvent.keyDown(grid, { key: 'ArrowRight', shiftKey: true });
  expect(session.datum).toEqual({ kind: 'memory', space: 'gpa', address: '0x5010', length: 2, vtl: 1 });
  for (let i = 0; i < 3; ++i) await fireEvent.keyDown(grid, { key: 'PageDown' });
  expect(session.datum.address).not.toBe('0x5010');
  await row(new RegExp(BigInt(session.datum.address).toString(16).slice(0, -1)));
});

test('a pinned pane stays where it was told to', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes });
  shown(session, Memory, { address: '0x7000', space: 'gpa', vtl: 1 });
  await row(/00007000/);
  session.datum = { kind: 'memory', space: 'gva', address: '0x5000', length: 1, vtl: 0 };
  flushSync();
  await row(/00007000/);
  expect(screen.getByRole<HTMLInputElement>('checkbox', { name: 'pinned' }).checked).toBe(true);
});

test('bytes that changed since the former stop are marked', async () => {
  let value = '00';
  const session = new FakeSession({ 'memory.read': ({ length }) => ({ parts: [{ offset: 0, length, state: 'readable', bytes: value.repeat(length) }] }), processes });
  session.datum = { kind: 'memory', space: 'spa', address: '0x5000', length: 1, vtl: 0 };
  shown(session);
  await waitFor(async () => expect((await row(/00005000/)).textContent).toContain('00 00'));
  expect(document.querySelector('.changed')).toBeNull();
  value = 'ab';
  session.focus = { ...session.focus, at: 101 };
  await waitFor(async () => expect((await row(/00005000/)).textContent).toContain('ab ab'));
  expect(document.querySelector('.changed')).not.toBeNull();
});

test('an expression that means nothing is told, and nothing moves', async () => {
  const session = new FakeSession({
    'memory.read': memory,
    processes,
    evaluate: () => {
      throw new RpcError(code.invalidParameters, `no symbol ${hostile}`);
    },
  });
  session.datum = { kind: 'memory', space: 'gpa', address: '0x5000', length: 1, vtl: 1 };
  shown(session);
  const box = screen.getByRole('textbox', { name: 'Address or expression' });
  await fireEvent.input(box, { target: { value: 'nonsense' } });
  await fireEvent.submit(box.closest('form')!);
  expect((await screen.findByRole('alert')).textContent).toContain(hostile);
  await row(/00005000/);
});

test('memory is changed in a branch only', async () => {
  const session = new FakeSession({ 'memory.read': memory, processes, 'memory.write': () => ({ branch: 'x' }), 'branch.begin': () => ({ branch: 'x' }) });
  session.datum = { kind: 'memory', space: 'gpa', address: '0x5000', length: 2, vtl: 1 };
  shown(session);
  await fireEvent.keyDown(screen.getByRole('grid'), { key: 'F2' });
  expect(screen.queryByRole('button', { name: 'Write' })).toBeNull();
  await fireEvent.click(screen.getByRole('button', { name: 'Begin a branch here' }));
  await fireEvent.input(await screen.findByRole('textbox', { name: /write at/ }), { target: { value: '4' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Write' }));
  expect(session.parameters_of('memory.write')).toEqual([]);
  await fireEvent.input(screen.getByRole('textbox', { name: /write at/ }), { target: { value: '48 8b' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Write' }));
  expect(session.parameters_of('memory.write')).toEqual([{ space: 'gpa', address: '0x5000', bytes: '488b', vtl: 1 }]);
});

// --- walk

const all: Rights = { mapped: true, read: true, write: true, kernel_execute: true, user_execute: true };
const none: Rights = { ...all, read: false, write: false, kernel_execute: false, user_execute: false };
const part = { spa: '0x8000018', gpa: '0x1018', value: '0x7', leaf: true, present: true, denied: false, rights: [] };
const refusal: Methods['walk']['result'] = {
  references: [
    { ...part, stage: 2, level: 1, name: 'S2 PTE', index: 1, flags: 'r w' },
    { ...part, stage: 1, level: 1, name: 'PTE', index: 2, flags: 'P W U', rights: [{ ...all, write: false }, all] },
    { ...part, stage: 2, level: 1, name: 'S2 PTE', index: 3, flags: '', gpa: '0x273000', denied: true },
  ],
  granted: false,
  rule: 'stage 2 denies reading',
  gpa: '0x273000',
  rights: [none, all],
  cycles: 1234,
  text: '',
};

test('a refused walk says the rule and the entry, and shows both VTLs’ rights', async () => {
  const session = new FakeSession({ walk: () => refusal, processes });
  session.datum = { kind: 'memory', space: 'gva', address: '0x9000', length: 8, vtl: 0 };
  shown(session, Walk);
  const verdict = await screen.findByText(/stage 2 denies reading/);
  expect(verdict.closest('p')!.textContent).toContain('S2 PTE[3]');
  expect((await row(/PTE\[2\]/)).textContent).toMatch(/r- kx ux.*rw kx ux/s);
  expect((await row(/^.*page/)).textContent).toMatch(/-- -- --.*rw kx ux/s);
  expect(screen.queryByRole('row', { name: /S2 PTE\[1\]/ })).toBeNull(); // folded: all was well there
  await fireEvent.click(screen.getAllByRole('button', { name: /Second stage of this/ })[0]!);
  await row(/S2 PTE\[1\]/);
});

test('with nothing looked at, the intercept of the focus is walked, with its own access', async () => {
  const event = { at: 100, vp: 0, vtl: 0, kind: 'Intercept', name: 'write', arguments: [], outcome: '', a: '0x7777000', b: '0x273000', c: '0x1', place: { address: '0x1', text: '' }, text: '' };
  const session = new FakeSession({ walk: () => refusal, processes, 'events.list': () => ({ events: [event], more: false }) });
  session.focus = { at: 100, vp: 0, vtl: 1 };
  shown(session, Walk);
  await waitFor(() => expect(session.parameters_of('walk').at(-1)).toMatchObject({ address: '0x7777000', access: 'write', focus: { vtl: 0 } }));
  await fireEvent.click(screen.getByRole('radio', { name: 'VTL 1' }));
  await waitFor(() => expect(session.parameters_of('walk').at(-1)).toMatchObject({ address: '0x7777000', focus: { vtl: 1 } }));
});

test('“who set this” asks for the rights of the page, and goes there', async () => {
  const session = new FakeSession({ walk: () => refusal, processes, who_wrote: () => ({ found: true, at: { at: 5, vp: 0, vtl: 1 }, text: 'x' }) });
  session.datum = { kind: 'memory', space: 'gva', address: '0x9000', length: 8, vtl: 0 };
  shown(session, Walk);
  await fireEvent.click(await screen.findByRole('button', { name: 'who set this?' }));
  await waitFor(() => expect(session.went).toEqual([{ at: 5, vp: 0, vtl: 1 }]));
  expect(session.parameters_of('who_wrote')[0]).toMatchObject({ what: 'slat', address: '0x273000', focus: { vtl: 0 } });
});

test('micro-steps go through the references one by one, by key', async () => {
  const session = new FakeSession({ walk: () => refusal, processes });
  session.datum = { kind: 'memory', space: 'gva', address: '0x9000', length: 8, vtl: 0 };
  shown(session, Walk);
  await fireEvent.click(await screen.findByRole('button', { name: 'Micro-step' }));
  const bar = await screen.findByRole('toolbar', { name: 'Micro-step' });
  expect(bar.textContent).toContain('1 of 3: S2 PTE[1]');
  await fireEvent.keyDown(bar, { key: 'ArrowRight' });
  expect(bar.textContent).toContain('2 of 3: PTE[2]');
  await fireEvent.keyDown(bar, { key: 'End' });
  expect(bar.textContent).toContain('The translation ends here: stage 2 denies reading.');
});
