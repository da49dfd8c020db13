// The panes of code and state over a program that answers what a test wants.
import { fireEvent, render, screen, waitFor } from '@testing-library/svelte';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { join_code_panes, look_at_code } from '../src/core/code_panes';
import Breakpoints from '../src/panels/breakpoints/Breakpoints.svelte';
import Code from '../src/panels/code/Code.svelte';
import Registers from '../src/panels/registers/Registers.svelte';
import Source from '../src/panels/source/Source.svelte';
import Stack from '../src/panels/stack/Stack.svelte';
import Variables from '../src/panels/variables/Variables.svelte';
import { RpcError } from '../src/rpc/errors';
import type { Breakpoint, Frame, Line, Methods, Stop } from '../src/rpc/interface';
import { fake_desk, FakeSession, hostile, type FakeDesk } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

// Boxes have no size here: lists show rows as if they had.
beforeAll(() => Object.defineProperty(HTMLElement.prototype, 'clientHeight', { configurable: true, get: () => 600 }));
beforeEach(() => localStorage.clear());

const base = 0x1000;
const hex = (value: number) => `0x${value.toString(16)}`;
function line(index: number, change: Partial<Line> = {}): Line {
  const address = hex(base + 2 * index);
  return {
    place: { address, module: 'nt', symbol: hostile, displacement: 2 * index, text: `nt!${hostile}+${2 * index}` },
    bytes: '6690',
    text: `nop ${index}`,
    current: false,
    breakpoints: [],
    ...change,
  };
}
/** A program of 1000 instructions of two bytes; what is outside cannot be read. */
function disassemble({ address, before, count }: Methods['disassemble']['parameters']): { lines: Line[] } {
  const at = address === undefined ? 0 : (Number(address) - base) / 2;
  const first = Math.max(0, at - (before ?? 0));
  if (at < 0) return { lines: [{ place: { address: address!, text: address! }, bytes: '', text: '??', current: false, breakpoints: [] }] };
  const lines = Array.from({ length: Math.min(1000, at + count) - first }, (_, index) => line(first + index));
  return { lines: lines.map((each, index) => (first + index === 3 ? jump(each) : each)) };
}
const jump = (each: Line): Line => ({ ...each, text: 'jmp 0x1020', target: { address: '0x1020', text: `nt!${hostile}+0x20` } });

function stop_at(address: string, at = 100): Stop {
  const focus = { at, vp: 0, vtl: 1 };
  return { reason: 'step', focus, place: { address, module: 'nt', text: address }, instruction: at, ring: 0, waits: false, breakpoints: [], text: '' };
}
function stand(fake: FakeSession, address: string, at = 100): void {
  const stop = stop_at(address, at);
  fake.stop = stop;
  fake.focus = stop.focus;
}
function show(of: unknown, fake: FakeSession, desk: FakeDesk = fake_desk(), parameters: Record<string, unknown> = {}) {
  return render(InWorkspace, { props: { desk, of: of as never, props: { session: fake.session, parameters } } });
}
const unbroken = () => expect((globalThis as { broken?: number }).broken).toBeUndefined();

// --- code

async function code_pane(change: ConstructorParameters<typeof FakeSession>[0] = {}, parameters: Record<string, unknown> = {}, row = /nop 0$/) {
  const fake = new FakeSession({ disassemble, ...change });
  stand(fake, '0x1004');
  const desk = fake_desk();
  const shown = show(Code, fake, desk, parameters);
  await screen.findByRole('row', { name: row });
  return { fake, desk, shown, grid: screen.getByRole('grid', { name: 'Instructions' }) };
}
const current_row = (shown: { container: HTMLElement }) => shown.container.querySelector('[aria-current="step"]')?.textContent ?? '';

test('the instruction at the focus is marked, and a step moves the mark before any answer comes', async () => {
  const { fake, shown } = await code_pane();
  expect(current_row(shown)).toContain('nop 2');
  const rows = [...shown.container.querySelectorAll('[role=row]')];
  fake.answers['disassemble'] = () => new Promise(() => undefined) as never;
  stand(fake, '0x1008', 101);
  await waitFor(() => expect(current_row(shown)).toContain('nop 4'));
  expect([...shown.container.querySelectorAll('[role=row]')]).toEqual(rows); // no row was made anew
  unbroken();
});
test('names from images are text', async () => {
  const { shown } = await code_pane();
  expect(shown.container.querySelector('img')).toBeNull();
  expect(shown.container.textContent).toContain('<img src=x');
});
test('trails are told in words, with signs', async () => {
  const step = (address: string) => ({ at: 1, vp: 0, vtl: 1, address });
  await code_pane({ trail: () => ({ past: [step('0x1000'), step('0x1002')], future: [step('0x1004'), step('0x1006')] }) });
  const row = await screen.findByRole('row', { name: /nop 1$/ });
  await waitFor(() => expect(row.textContent).toContain('−1'));
  expect(row.querySelector('[title="executed 1 instruction ago"]')).not.toBeNull();
  expect(screen.getByRole('row', { name: /jmp/ }).textContent).toContain('+1');
});
test('Enter follows the target without moving time, Backspace comes back', async () => {
  const { fake, grid } = await code_pane();
  await fireEvent.keyDown(grid, { key: 'ArrowDown' });
  await fireEvent.keyDown(grid, { key: 'Enter' });
  await waitFor(() => expect(grid.getAttribute('aria-activedescendant')).toContain('0x1020'));
  expect(fake.went).toEqual([]);
  await fireEvent.keyDown(grid, { key: 'Backspace' });
  await waitFor(() => expect(grid.getAttribute('aria-activedescendant')).toContain('0x1006'));
});
test('a row can be run to, back to, and asked who executed it', async () => {
  const { fake, desk, grid } = await code_pane();
  const run = (id: string) => desk.commands.list.find((each) => each.id === id)!.run!();
  await fireEvent.keyDown(grid, { key: 'ArrowDown' });
  for (const id of ['run_to', 'back_to', 'executed_last', 'executed_next', 'executed_first']) {
    const before = fake.ran.length;
    run(`code.${id}`);
    await waitFor(() => expect(fake.ran.length).toBe(before + 1));
  }
  const to = '0x1006';
  expect(fake.ran).toEqual([{ to }, { to, back: true }, { to, breakpoints: false, back: true }, { to, breakpoints: false }, { to, breakpoints: false }]);
  expect(fake.went).toEqual([{ at: 0 }]);
});
test('where nothing executed the row, the focus comes back and a word is said', async () => {
  const { fake, desk } = await code_pane();
  fake.stop = { ...fake.stop!, reason: 'beginning' };
  desk.commands.list.find((each) => each.id === 'code.executed_last')!.run!();
  await waitFor(() => expect(fake.went).toEqual([{ at: 100, vp: 0, vtl: 1 }]));
  await waitFor(() => expect(fake.said).toEqual(['Nothing executed 00000000`00001004 before this.']));
});
const breakpoint = (change: Partial<Breakpoint> = {}): Breakpoint => ({
  id: 7,
  kind: 'code',
  what: '0x1004',
  text: hostile,
  ignore: 0,
  hits: 2,
  enabled: true,
  temporary: false,
  resolved: true,
  ...change,
});
test('the gutter sets a breakpoint, shows it when it is there, and takes it away', async () => {
  const { fake } = await code_pane({ 'breakpoint.set': () => ({ breakpoint: breakpoint() }), 'breakpoint.remove': () => ({}) as Record<string, never> });
  await fireEvent.click(screen.getByRole('button', { name: "Set a breakpoint at 00000000`00001004" }));
  expect(fake.parameters_of('breakpoint.set')).toEqual([{ kind: 'code', what: '0x1004', vtl: 1 }]);
  fake.answers['disassemble'] = (asked) => ({ lines: disassemble(asked).lines.map((each) => (each.place.address === '0x1004' ? { ...each, breakpoints: [7] } : each)) });
  fake.breakpoints = [breakpoint({ condition: 'rax == 1' })];
  const sign = await screen.findByRole('button', { name: 'Breakpoint 7, on, where rax == 1, met 2 times' });
  expect(sign.textContent).toBe('◆');
  await fireEvent.click(sign);
  expect(fake.parameters_of('breakpoint.remove')).toEqual([{ id: 7 }]);
});
test('what the program refuses of a condition is shown at its column', async () => {
  const { fake, desk } = await code_pane({
    disassemble: (asked) => ({ lines: disassemble(asked).lines.map((each) => (each.place.address === '0x1004' ? { ...each, breakpoints: [7] } : each)) }),
    'breakpoint.change': () => {
      throw new RpcError(-32001, 'rax == (column 7): a value is needed');
    },
  });
  fake.breakpoints = [breakpoint()];
  await screen.findByRole('button', { name: /Breakpoint 7, on/ });
  desk.commands.list.find((each) => each.id === 'code.breakpoint_condition')!.run!();
  const field = await screen.findByRole('textbox', { name: 'Condition' });
  await fireEvent.input(field, { target: { value: 'rax ==' } });
  await fireEvent.keyDown(field, { key: 'Enter' });
  expect((await screen.findByRole('alert')).textContent).toContain('a value is needed');
  expect(document.querySelector('.caret')!.textContent).toBe(`${' '.repeat(6)}^`);
});
test.each([
  ['denied', '?? VTL 1 may not read this: the second stage denies it'],
  ['unmapped', '-- Nothing is mapped here in the tables of this VTL.'],
] as const)('where code is %s that is said', async (state, text) => {
  const fake = new FakeSession({ disassemble, 'memory.read': () => ({ parts: [{ offset: 0, length: 1, state }] }) });
  stand(fake, '0x10');
  show(Code, fake);
  expect((await screen.findByText(text)).textContent).toBe(text);
});
test('a pane that was opened at an address stays there', async () => {
  const { fake, shown } = await code_pane({}, { address: '0x1100', vtl: 1 }, /nop 128$/);
  stand(fake, '0x1200', 300);
  await waitFor(() => expect(fake.focus.at).toBe(300));
  expect(screen.getByRole('button', { name: 'pinned' }).getAttribute('aria-pressed')).toBe('true');
  expect(shown.container.textContent).toContain('nop 128');
});
test('what is followed elsewhere is looked at in the pane that is there', async () => {
  const { fake, desk, grid } = await code_pane();
  look_at_code(desk as never, fake.session, '0x1080', 1);
  await waitFor(() => expect(grid.getAttribute('aria-activedescendant')).toContain('0x1080'));
  expect(desk.opened).toEqual([{ panel: 'code', parameters: undefined }]);
});
test('without a pane of code one is opened there', () => {
  const desk = fake_desk();
  look_at_code(desk as never, new FakeSession().session, '0x1080', 1);
  expect(desk.opened).toEqual([{ panel: 'code', parameters: { address: '0x1080', vtl: 1 } }]);
});
test('commands mean the pane that was used last', () => {
  const desk = fake_desk();
  const told: string[] = [];
  const pane = (name: string) => ({ show_focus: () => told.push(name) }) as never;
  const first = join_code_panes(desk as never, pane('first'));
  const second = join_code_panes(desk as never, pane('second'));
  const run = () => desk.commands.list.find((each) => each.id === 'code.show_focus')!.run!();
  run();
  second.use();
  run();
  second.leave();
  run();
  first.leave();
  expect(told).toEqual(['first', 'second', 'first']);
});

// --- registers

function registers({ focus }: Methods['registers']['parameters']): Methods['registers']['result'] {
  const vtl = focus!.vtl;
  const rax = focus!.at === 100 ? '0x1' : '0x2';
  return {
    active: vtl === 1,
    enabled: true,
    registers: [
      { name: 'rax', value: rax, bits: 64, group: 'general', shared: true },
      { name: 'rsp', value: vtl === 1 ? '0x20' : '0x10', bits: 64, group: 'general', shared: false },
      { name: 'cr0', value: '0x80000001', bits: 64, group: 'control', shared: false },
    ],
  };
}
test('registers of both VTLs stand side by side; who runs, flags and changes are told in words', async () => {
  const fake = new FakeSession({ registers });
  stand(fake, '0x1004');
  show(Registers, fake);
  await screen.findByRole('button', { name: /^rsp of VTL 0: 00000000`00000010$/ });
  expect(screen.getByRole('columnheader', { name: 'VTL 0 waits' })).toBeTruthy();
  expect(screen.getByRole('columnheader', { name: 'VTL 1 runs' })).toBeTruthy();
  expect(screen.getByRole('button', { name: 'cr0 of VTL 1: 00000000`80000001, PG PE' })).toBeTruthy();
  stand(fake, '0x1006', 101);
  const changed = await screen.findByRole('button', { name: 'rax of both VTLs: 00000000`00000002, was 00000000`00000001 at the former stop' });
  expect(changed.parentElement!.textContent).toContain('Δ');
});
test('a click selects a register as the datum', async () => {
  const fake = new FakeSession({ registers });
  show(Registers, fake);
  await fireEvent.click(await screen.findByRole('button', { name: /^rsp of VTL 1/ }));
  expect(fake.datum).toEqual({ kind: 'register', name: 'rsp', vtl: 1 });
  expect(screen.getByRole('button', { name: /^rsp of VTL 1/ }).getAttribute('aria-pressed')).toBe('true');
});
test('a register is changed in a branch only, and the branch is asked for', async () => {
  const fake = new FakeSession({ registers, 'branch.begin': () => ({ branch: 'what if' }), 'registers.write': () => ({ branch: 'what if' }) });
  show(Registers, fake);
  await fireEvent.dblClick(await screen.findByRole('button', { name: /^rsp of VTL 1/ }));
  expect(fake.parameters_of('registers.write')).toEqual([]);
  await fireEvent.click(screen.getByRole('button', { name: 'Begin a branch' }));
  const field = await screen.findByRole('textbox', { name: 'New value of rsp' });
  await fireEvent.input(field, { target: { value: 'zzz' } });
  await fireEvent.keyDown(field, { key: 'Enter' });
  expect((await screen.findByRole('alert')).textContent).toContain('rsp holds 64 bits');
  await fireEvent.input(field, { target: { value: '1f0' } });
  await fireEvent.keyDown(field, { key: 'Enter' });
  await waitFor(() => expect(fake.parameters_of('registers.write')).toEqual([{ name: 'rsp', value: '0x1f0', vtl: 1, vp: 0 }]));
});
test('a VTL that is not enabled yet is told', async () => {
  const fake = new FakeSession({ registers: (asked) => ({ ...registers(asked), enabled: asked.focus!.vtl === 0 }) });
  show(Registers, fake);
  expect(await screen.findByRole('columnheader', { name: 'VTL 1 not enabled yet' })).toBeTruthy();
});

// --- stack, variables, source, breakpoints

const frame = (index: number, vtl: number, entered: Frame['entered']): Frame => ({ index, vtl, ring: 0, entered, pc: { address: hex(base + index), text: `${hostile}${index}` }, sp: '0x9000', trusted: index !== 1 });
test('frames cross worlds in words; choosing one moves the focus there', async () => {
  const fake = new FakeSession({
    stack: () => ({ frames: [frame(0, 1, 'start'), frame(1, 1, 'call'), frame(2, 0, 'vtl_call')], why: 'the return address is 0' }),
    telescope: () => ({ words: [{ address: '0x9000', value: '0x1002', returns: true, chain: [hostile] }, { address: '0x9008', returns: false, chain: [] }] }),
  });
  show(Stack, fake);
  const list = await screen.findByRole('listbox', { name: 'Frames of the stack' });
  await waitFor(() => expect(screen.getAllByRole('option', { name: /ring 0/ }).length).toBe(3));
  expect(list.textContent).toContain('VTL call from VTL 0 into VTL 1');
  expect(list.textContent).toContain('It ends here: the return address is 0');
  await fireEvent.keyDown(list, { key: 'ArrowDown' });
  await fireEvent.click(screen.getAllByRole('option', { name: /ring 0/ })[2]!);
  expect(fake.went).toEqual([{ frame: 1 }, { frame: 2 }]);
  const words = screen.getByRole('listbox', { name: 'Words of the stack' });
  await waitFor(() => expect(words.textContent).toContain('↩ return'));
  expect(words.textContent).toContain('??');
  expect(document.querySelector('img')).toBeNull();
});
test('variables: what changed, what is nowhere, and what opens', async () => {
  const variable = (name: string, type: string, value: string) => ({ name, type, value, where: value === '' ? '' : 'rax', parameter: name === 'frame' });
  const fake = new FakeSession({
    disassemble,
    variables: ({ focus }) => ({ variables: [variable('frame', 'sk::SkCall&', '0xffff900000000010'), variable('number', 'uint16_t', String(focus!.at)), variable(hostile, 'int', '')] }),
    type: () => ({ name: 'nt!sk::SkCall', kind: 'struct', size: 8, fields: [{ name: 'code', type: 'uint16_t', offset: 2, size: 2, value: '0x18' }] }),
  });
  stand(fake, '0x1004');
  show(Variables, fake);
  await screen.findByText('nowhere at this instruction');
  await fireEvent.click(screen.getByRole('button', { name: 'Members of frame' }));
  await screen.findByText('0x18');
  expect(fake.parameters_of('type')[0]).toMatchObject({ name: 'nt!sk::SkCall', address: '0xffff900000000010' });
  stand(fake, '0x1006', 101);
  expect(await screen.findByText(/changed, was 100/)).toBeTruthy();
});
test('a function without variables says why', async () => {
  const fake = new FakeSession({ disassemble, variables: () => ({ variables: [], complaint: 'nt has no PDB' }) });
  show(Variables, fake);
  expect(await screen.findByText('nt has no PDB')).toBeTruthy();
});
test('the file of the focus with its line; a line without code gets the breakpoint of the next', async () => {
  const fake = new FakeSession({
    source: () => ({ lines: ['int f() {', `  // ${hostile}`, '  return 1;', '}'] }),
    'source.places': ({ line: wanted }) => ({ line: wanted + 1, places: [{ address: '0x1010', text: 'nt!f' }] }),
    'breakpoint.set': () => ({ breakpoint: breakpoint() }),
  });
  const stop = stop_at('0x1004');
  fake.stop = { ...stop, place: { ...stop.place, file: 'C:\\x\\f.cpp', line: 3 } };
  fake.focus = stop.focus;
  const shown = show(Source, fake);
  await screen.findByText(/return 1/);
  expect(current_row(shown)).toContain('return 1');
  expect(shown.container.querySelector('img')).toBeNull();
  await fireEvent.click(screen.getByRole('button', { name: 'Set a breakpoint at line 2' }));
  await waitFor(() => expect(fake.parameters_of('breakpoint.set')).toEqual([{ kind: 'code', what: '0x1010', vtl: 1 }]));
  await waitFor(() => expect(fake.said[0]).toContain('the breakpoint is at line 3'));
});
test('code without a file says so', async () => {
  const fake = new FakeSession({ disassemble });
  stand(fake, '0x1004');
  show(Source, fake);
  expect(await screen.findByText(/has no source lines/)).toBeTruthy();
});

const kinds = ['vtl-call', 'hypercall'].map((name) => ({ name, type: `about ${name}`, offset: 0, size: 0 }));
test('a box that is ticked is a breakpoint, one that is not takes it away', async () => {
  const fake = new FakeSession({ 'breakpoint.events': () => ({ kinds }), 'breakpoint.set': () => ({ breakpoint: breakpoint() }), 'breakpoint.remove': () => ({}) as Record<string, never> });
  fake.breakpoints = [breakpoint({ id: 4, kind: 'event', what: 'hypercall=0xc' })];
  show(Breakpoints, fake);
  const hypercall = await screen.findByRole('checkbox', { name: 'Hypercall' });
  expect((hypercall as HTMLInputElement).checked).toBe(true);
  await fireEvent.click(hypercall);
  expect(fake.parameters_of('breakpoint.remove')).toEqual([{ id: 4 }]);
  await fireEvent.click(screen.getByRole('checkbox', { name: 'VTL call' }));
  expect(fake.parameters_of('breakpoint.set')).toEqual([{ kind: 'event', what: 'vtl-call' }]);
});
test('the form completes symbols and sends what was typed', async () => {
  const fake = new FakeSession({
    'breakpoint.events': () => ({ kinds: [] }),
    'breakpoint.set': () => ({ breakpoint: breakpoint() }),
    'symbols.find': () => ({ symbols: [{ place: { address: '0x1', text: 'securekernel!sk::IumCrypto' } }], more: false }),
  });
  show(Breakpoints, fake);
  const where = screen.getByRole('combobox', { name: 'Where' });
  await fireEvent.input(where, { target: { value: 'IumC' } });
  await screen.findByRole('option', { name: 'securekernel!sk::IumCrypto' });
  await fireEvent.keyDown(where, { key: 'ArrowDown' });
  await fireEvent.keyDown(where, { key: 'Enter' });
  await fireEvent.input(screen.getByRole('textbox', { name: 'Condition' }), { target: { value: 'vtl == 1' } });
  await fireEvent.click(screen.getByRole('button', { name: 'Add' }));
  await waitFor(() => expect(fake.parameters_of('breakpoint.set')).toEqual([{ kind: 'code', what: 'securekernel!sk::IumCrypto', condition: 'vtl == 1' }]));
});
test('the list switches, shows hits and removes; hostile names are text', async () => {
  const fake = new FakeSession({
    'breakpoint.events': () => ({ kinds: [] }),
    'breakpoint.change': () => ({ breakpoint: breakpoint() }),
    'breakpoint.remove': () => ({}) as Record<string, never>,
  });
  fake.breakpoints = [breakpoint({ id: 1 }), breakpoint({ id: 2, enabled: false })];
  const shown = show(Breakpoints, fake);
  await fireEvent.click(screen.getByRole('checkbox', { name: 'Breakpoint 1 on' }));
  expect(fake.parameters_of('breakpoint.change')).toEqual([{ id: 1, enabled: false }]);
  await fireEvent.click(screen.getByRole('button', { name: 'Remove breakpoint 2' }));
  expect(fake.parameters_of('breakpoint.remove')).toEqual([{ id: 2 }]);
  expect(shown.container.querySelector('img')).toBeNull();
});
