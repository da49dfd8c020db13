import { expect, test } from 'vitest';
import { arrow_path, arrows_of, is_jump, lanes } from '../src/panels/code/arrows';
import { copy_of, fenced } from '../src/panels/code/copy';
import { compare_addresses, covers, end_of, find_line, longest_listing, merge } from '../src/panels/code/listing';
import { operand_parts, rows_of, spaced_bytes, split_text } from '../src/panels/code/rows';
import { future_sign, mark_text, past_sign, trail_marks } from '../src/panels/code/trail';
import type { Line } from '../src/rpc/interface';
import { hostile } from './fake_session.svelte';

const hex = (value: number) => `0x${value.toString(16)}`;
function line(at: number, length = 1, change: Partial<Line> = {}): Line {
  return { place: { address: hex(at), text: hex(at) }, bytes: '90'.repeat(length), text: 'nop', current: false, breakpoints: [], ...change };
}
/** `count` instructions of two bytes. */
const lines_from = (at: number, count: number) => Array.from({ length: count }, (_, index) => line(at + 2 * index, 2));
const addresses = (lines: readonly Line[]) => lines.map((each) => each.place.address);

test.each([
  ['0x9', '0x10', -1],
  ['0xfffff80000000000', '0xfffff80000000001', -1],
  ['0x10', '0x10', 0],
  ['0xffffffffffffffff', '0x0', 1],
])('%s and %s are ordered as numbers', (a, b, sign) => {
  expect(Math.sign(compare_addresses(a, b))).toBe(sign);
});

test('what cannot be read takes one byte', () => {
  expect(end_of(line(0x1000, 0, { text: '??' }))).toBe('0x1001');
  expect(end_of(line(0x1000, 15))).toBe('0x100f');
});

test('an answer below the listing is joined where instructions meet', () => {
  const known = lines_from(0x1000, 10);
  const joined = merge(known, lines_from(0x1014, 3));
  expect(addresses(joined)).toEqual(addresses([...known, ...lines_from(0x1014, 3)]));
});
test('an answer above the listing is joined, and overlaps are one', () => {
  const known = lines_from(0x1000, 10);
  const joined = merge(known, lines_from(0xff8, 6));
  expect(joined.length).toBe(14);
  expect(joined[4]).toBe(known[0]);
});
test('an answer elsewhere replaces the listing', () => {
  const answer = lines_from(0x9000, 3);
  expect(merge(lines_from(0x1000, 10), answer)).toEqual(answer);
});
test('what is the same keeps its identity, and an answer without news is no change', () => {
  const known = lines_from(0x1000, 10);
  expect(merge(known, lines_from(0x1004, 3))).toBe(known);
  const changed = merge(known, [line(0x1004, 2, { breakpoints: [7] })]);
  expect(changed).not.toBe(known);
  expect(changed[2]!.breakpoints).toEqual([7]);
  expect(changed[1]).toBe(known[1]);
});
test('code that was written over drops neighbours that no longer meet it', () => {
  const known = lines_from(0x1000, 10);
  const answer = [line(0x1006, 3), line(0x1009, 2)]; // ends at 0x100b: inside an old instruction
  expect(addresses(merge(known, answer))).toEqual(['0x1000', '0x1002', '0x1004', '0x1006', '0x1009']);
});
test('a listing does not grow beyond its limit, and keeps what was asked last', () => {
  let known: readonly Line[] = [];
  for (let at = 0x1000; at < 0x1000 + 4 * longest_listing; at += 200) known = merge(known, lines_from(at, 100));
  expect(known.length).toBeLessThanOrEqual(longest_listing);
  expect(find_line(known, hex(0x1000 + 4 * longest_listing - 2))).toBeGreaterThan(0);
});
test('lines are found by address; between them there is none', () => {
  const known = lines_from(0x1000, 10);
  expect(find_line(known, '0x1006')).toBe(3);
  expect(find_line(known, '0x1007')).toBe(-1);
  expect(find_line(known, undefined)).toBe(-1);
  expect([covers(known, '0x1007'), covers(known, '0xfff'), covers(known, '0x1014')]).toEqual([true, false, false]);
});

const place = (address: number, symbol: string | undefined, displacement: number) => ({
  address: hex(address),
  module: 'nt',
  ...(symbol === undefined ? {} : { symbol, displacement }),
  text: 'x',
});

test('functions have their name above them, and source lines stand before their code', () => {
  const lines = [
    line(0x1000, 1, { place: place(0x1000, 'A', 4) }),
    line(0x1001, 1, { place: place(0x1001, 'B', 0), source: 'int b() {' }),
    line(0x1002, 1, { place: place(0x1002, 'B', 1) }),
    line(0x1003, 1, { place: { address: '0x1003', text: '0x1003' } }),
  ];
  const told = (source: boolean) => rows_of(lines, source).map((row) => (row.kind === 'code' ? row.line.place.address : row.text));
  expect(told(true)).toEqual(['0x1000', 'nt!B:', 'int b() {', '0x1001', '0x1002', 'no image:', '0x1003']);
  expect(told(false)).toEqual(['0x1000', 'nt!B:', '0x1001', '0x1002', 'no image:', '0x1003']);
});
test('rows of lines that stay are the same objects', () => {
  const lines = lines_from(0x1000, 3);
  expect(rows_of(lines, true)[1]).toBe(rows_of([...lines], true)[1]);
});

test.each([
  ['rep movsq qword ptr [rdi], qword ptr [rsi]', 'rep movsq', 'qword ptr [rdi], qword ptr [rsi]'],
  ['lock cmpxchg [rcx], eax', 'lock cmpxchg', '[rcx], eax'],
  ['ret', 'ret', ''],
  ['??', '??', ''],
])('%s is cut behind its mnemonic', (text, mnemonic, operands) => {
  expect(split_text(text)).toEqual([mnemonic, operands]);
});
test('numbers of three digits on stand alone, smaller ones and names do not', () => {
  expect(operand_parts('qword ptr [rip + 0x93ed], 0x28')).toEqual([{ text: 'qword ptr [rip + ' }, { text: '0x93ed', number: '0x93ed' }, { text: '], 0x28' }]);
  expect(operand_parts('rax')).toEqual([{ text: 'rax' }]);
});
test('long instructions show the beginning of their bytes', () => {
  expect(spaced_bytes('4889cb')).toBe('48 89 cb');
  expect(spaced_bytes('90'.repeat(15))).toBe(`${'90 '.repeat(9)}…`);
});

test.each([
  ['jmp 0x10', true],
  ['je 0x10', true],
  ['loop 0x10', true],
  ['notrack jmp rax', true],
  ['call 0x10', false],
  ['ret', false],
])('%s is a jump: %s', (text, jump) => {
  expect(is_jump(text)).toBe(jump);
});

const jump = (at: number, to: number, text = 'je') => line(at, 2, { text: `${text} ${hex(to)}`, target: { address: hex(to), text: hex(to) } });
test('arrows join jumps with targets in sight, inner ones nearest to the code', () => {
  const lines = [jump(0x1000, 0x1008), jump(0x1002, 0x1006, 'jmp'), line(0x1004, 2), line(0x1006, 2), line(0x1008, 2), jump(0x100a, 0x9000), line(0x100c, 2, { text: 'call 0x1000', target: { address: '0x1000', text: '' } })];
  const found = arrows_of(rows_of(lines, false), 0, 100);
  expect(found.map(({ from, to, lane, conditional }) => [from, to, lane, conditional])).toEqual([
    [1, 3, 0, false],
    [0, 4, 1, true],
  ]);
  expect(arrows_of(rows_of(lines, false), 0, 3)).toEqual([]);
});
test('arrows that do not meet share a lane; too many share the last', () => {
  const apart = [jump(0x1000, 0x1002), line(0x1002, 2), jump(0x1004, 0x1006), line(0x1006, 2)];
  expect(arrows_of(rows_of(apart, false), 0, 9).map((arrow) => arrow.lane)).toEqual([0, 0]);
  const nested = Array.from({ length: 8 }, (_, index) => jump(0x1000 + 2 * index, 0x1000 + 2 * (15 - index)));
  const found = arrows_of(rows_of([...nested, ...lines_from(0x1010, 8)], false), 0, 99);
  expect(found.length).toBe(8);
  expect(Math.max(...found.map((arrow) => arrow.lane))).toBe(lanes - 1);
});
test('an arrow ends at the middle of its row', () => {
  expect(arrow_path({ key: '', from: 0, to: 2, lane: 0, conditional: false }, 20, 44)).toContain('V50H43');
});

const step = (address: number, vtl = 1) => ({ at: 0, vp: 0, vtl, address: hex(address) });
test('the trail says how long ago and how soon, once for each address', () => {
  const marks = trail_marks({ past: [step(0x10), step(0x12), step(0x10)], future: [step(0x14), step(0x10), step(0x16), step(0x20, 0)] }, 1);
  expect(marks.get('0x10')).toEqual({ past: 1, future: 1, times: 3 });
  expect(marks.get('0x12')).toEqual({ past: 2, times: 1 });
  expect(marks.get('0x14')).toEqual({ times: 1 }); // the focus itself
  expect(marks.has('0x20')).toBe(false); // the other VTL's
  expect([past_sign(marks.get('0x10')), future_sign(marks.get('0x16')), past_sign(undefined)]).toEqual(['−1', '+2', '']);
  expect(mark_text(marks.get('0x10'))).toBe('executed 1 instruction ago, executed 1 instruction ahead, 3 times near here');
});

const three = [line(0xfffff80100009e40, 0), line(0x12, 2), line(0x14, 1)].map((each, index) =>
  index === 0 ? line(0x10, 2, { place: { address: '0xfffff80100009e40', text: `a\\\n*/ ${hostile}` }, bytes: '4156', text: 'push r14' }) : each,
);
test.each([
  ['gdb', 'x/3i 0xfffff80100009e40'],
  ['windbg', 'u fffff801`00009e40 L3'],
] as const)('a copy for %s is a command', (form, text) => {
  expect(copy_of(form, three)).toBe(text);
});
test('a C array holds all bytes, and a name in its comment ends nothing', () => {
  const text = copy_of('c', three);
  expect(text).toContain('code[5] = {\n  0x41, 0x56, 0x90, 0x90, 0x90,\n};');
  expect(text.split('\n').length).toBe(4);
  expect(text.split('\n')[0]).not.toContain('\\');
});
test('nothing inside closes the fence of Markdown', () => {
  expect(fenced('a ``` b ```` c').split('\n')[0]).toBe('`````');
  expect(copy_of('markdown', three).split('\n').length).toBe(5);
});
test('nothing selected copies nothing', () => {
  expect(copy_of('c', [])).toBe('');
});
