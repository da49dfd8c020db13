// Frames, variables, lines of source, and breakpoints: what they show, without a page.
import { expect, test } from 'vitest';
import { breakpoint_sign, breakpoint_text, error_column } from '../src/core/breakpoints';
import { boxes_of, kind_of, narrowing_of, request_of } from '../src/panels/breakpoints/events';
import { completed, pattern_of } from '../src/panels/breakpoints/kinds';
import { line_marks, same_file, unknown_addresses } from '../src/panels/source/lines';
import { frame_beside, rows_of } from '../src/panels/stack/frames';
import { absence_of, keys_of, structure_of } from '../src/panels/variables/contents';
import type { Breakpoint, Frame, Place, Variable } from '../src/rpc/interface';

const frame = (index: number, vtl: number, ring: number, entered: Frame['entered']): Frame => ({
  index,
  vtl,
  ring,
  entered,
  pc: { address: '0x1', text: 'x' },
  sp: '0x1',
  trusted: true,
});

test('borders of rings and VTLs are told in words, plain calls are not', () => {
  const rows = rows_of([frame(0, 1, 0, 'start'), frame(1, 1, 0, 'call'), frame(2, 1, 3, 'system_call'), frame(3, 0, 0, 'vtl_call'), frame(4, 0, 0, 'interrupt')]);
  expect(rows.filter((row) => row.kind === 'border').map((row) => row.text)).toEqual([
    'system call in VTL 1, from ring 3 into ring 0',
    'VTL call from VTL 0 into VTL 1, from ring 0 into ring 3',
    'interrupt in VTL 0',
  ]);
  expect(rows.map((row) => row.key)).toEqual(['0', '1', 'border 2', '2', 'border 3', '3', 'border 4', '4']);
});
test('a border is drawn where the VTL changes even if the program calls it a call', () => {
  expect(rows_of([frame(0, 1, 0, 'start'), frame(1, 0, 0, 'call')])[1]).toMatchObject({ kind: 'border', word: 'other VTL' });
});
test.each([
  [0, 1, 1],
  [2, 1, 2],
  [1, -64, 0],
  [7, 1, 1],
])('from frame %d by %d to %d', (from, by, to) => {
  expect(frame_beside([frame(0, 1, 0, 'start'), frame(1, 1, 0, 'call'), frame(2, 1, 0, 'call')], from, by)).toBe(to);
});
test('without frames there is none beside', () => {
  expect(frame_beside([], 0, 1)).toBeUndefined();
});

const variable = (change: Partial<Variable>): Variable => ({ name: 'v', type: 'uint64_t', value: '0x1', where: 'rax', parameter: false, ...change });
test.each<[Partial<Variable>, { name: string; address: string } | undefined]>([
  [{ type: 'sk::SkThread*', value: '0xffff900000000000' }, { name: 'nt!sk::SkThread', address: '0xffff900000000000' }],
  [{ type: 'const sk::SkCall &', value: '0xffff900000000010 x' }, { name: 'nt!sk::SkCall', address: '0xffff900000000010' }],
  [{ type: 'ServiceCall', value: '', address: '0x10' }, { name: 'nt!ServiceCall', address: '0x10' }],
  [{ type: 'sk::SkThread*', value: '0x0' }, undefined],
  [{ type: 'void*' }, undefined],
  [{ type: 'unsigned long long' }, undefined],
  [{ type: 'uint64_t', address: '0x10' }, undefined],
  [{ type: 'char[40]', address: '0x10' }, undefined],
  [{ type: 'sk::SkThread**', value: '0xffff900000000000' }, undefined],
  [{ type: 'ServiceCall', value: '' }, undefined],
])('%o leads to %o', (change, structure) => {
  expect(structure_of(variable(change), 'nt')).toEqual(structure);
});
test('variables of one name that were inlined have keys of their own', () => {
  const keys = keys_of([variable({}), variable({}), variable({ parameter: true })], 'f');
  expect(new Set(keys).size).toBe(3);
});
test('code without an image has no structures', () => {
  expect(structure_of(variable({ type: 'A*' }), undefined)).toBeUndefined();
});
test.each([
  ['', '', 'nowhere at this instruction'],
  ['??', 'rax', '?? this VTL may not read it'],
  ['--', 'rax', '-- not mapped'],
  ['0x0', 'rax', undefined],
])('a value %j kept in %j: %s', (value, where, text) => {
  expect(absence_of(variable({ value, where }))).toBe(text);
});

test('one path is one file however it is written', () => {
  expect(same_file('C:\\airlock\\A.cpp', 'c:/airlock/a.CPP')).toBe(true);
  expect(same_file('a.cpp', undefined)).toBe(false);
});
test('lines are marked from the trail, those of this file and VTL', () => {
  const at = (address: string, vtl = 1) => ({ at: 0, vp: 0, vtl, address });
  const trail = { past: [at('0x1'), at('0x2'), at('0x1', 0)], future: [at('0x3'), at('0x4'), at('0x4'), at('0x5')] };
  const places: Record<string, Place> = Object.fromEntries(
    Object.entries({ '0x1': 10, '0x2': 11, '0x3': 11, '0x4': 12 }).map(([address, line]) => [address, { address, text: '', file: 'a.cpp', line }]),
  );
  const marks = line_marks(trail, 1, 'a.cpp', (address) => places[address]);
  expect([...marks]).toEqual([
    [10, { past: 3 }],
    [11, { past: 2 }],
    [12, { future: 1 }],
  ]);
  expect(line_marks(trail, 1, 'b.cpp', (address) => places[address]).size).toBe(0);
  expect(unknown_addresses(trail, 1, (address) => address in places)).toEqual(['0x5']);
});

const breakpoint = (change: Partial<Breakpoint>): Breakpoint => ({
  id: 3,
  kind: 'code',
  what: 'nt!X',
  text: 'nt!X',
  ignore: 0,
  hits: 0,
  enabled: true,
  temporary: false,
  resolved: true,
  ...change,
});
test.each<[Partial<Breakpoint>, string, string]>([
  [{}, '●', 'Breakpoint 3, on, met 0 times'],
  [{ condition: 'rax == 1', hits: 1 }, '◆', 'Breakpoint 3, on, where rax == 1, met once'],
  [{ enabled: false, ignore: 2 }, '○', 'Breakpoint 3, off, met 0 times, passes over the next 2'],
  [{ resolved: false, text: 'waits for an image that has it' }, '◌', 'Breakpoint 3, waits for an image that has it, met 0 times'],
])('%o is drawn %s', (change, sign, text) => {
  expect(breakpoint_sign(breakpoint(change))).toBe(sign);
  expect(breakpoint_text(breakpoint(change))).toBe(text);
});
test.each([
  ['1 + (column 4): the expression ends', 4],
  ['column 12: no such name', 12],
  ['there is no breakpoint 3', undefined],
  ['column 99999999: x', undefined],
])('%s points at %s', (message, column) => {
  expect(error_column(message)).toBe(column);
});

const kinds = ['print', 'vtl-return', 'hypercall', 'something-new', 'vtl-call'].map((name) => ({ name, type: 'text', offset: 0, size: 0 }));
test('boxes stand in the order of interest, with what the program knows beyond', () => {
  const boxes = boxes_of(kinds, [breakpoint({ kind: 'event', what: 'hypercall=0xc' }), breakpoint({ kind: 'event', what: 'vtl-call', temporary: true })]);
  expect(boxes.map((box) => box.name)).toEqual(['vtl-call', 'vtl-return', 'hypercall', 'print', 'something-new']);
  expect(boxes.map((box) => box.breakpoint !== undefined)).toEqual([false, false, true, false, false]);
  expect(boxes.map((box) => box.which !== undefined)).toEqual([false, false, true, true, false]);
});
test('a box asks for a kind, a name and a condition', () => {
  expect(request_of('hypercall', ' 0xc ', ' vtl == 1 ')).toEqual({ kind: 'event', what: 'hypercall=0xc', condition: 'vtl == 1' });
  expect(request_of('vtl-call', '', '')).toEqual({ kind: 'event', what: 'vtl-call' });
  expect(kind_of('hypercall=0xc')).toBe('hypercall');
  expect(narrowing_of(breakpoint({ what: 'hypercall=0xc', condition: 'vtl == 1' }))).toBe('=0xc, where vtl == 1');
});
test.each([
  ['sec', '*sec*'],
  ['nt!Hv', 'nt!Hv*'],
  ['gva:nt!Hv', 'nt!Hv*'],
  ['f', undefined],
  ['fffff801', undefined],
  ['0x10', undefined],
  ['nt!X+8', undefined],
])('%s is completed by %s', (typed, pattern) => {
  expect(pattern_of(typed)).toBe(pattern);
});
test('a completion keeps the space', () => {
  expect(completed('gpa:nt!H', 'nt!HvX')).toBe('gpa:nt!HvX');
});
