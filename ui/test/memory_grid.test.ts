import { expect, test } from 'vitest';
import {
  address_space, bounds, byte_at_column, cell_at, clamped_top, hex_columns, hex_runs, moved, number_at, parse_bytes, parse_pattern, row_of, text_runs, to_read, top_showing,
  type Read,
} from '../src/panels/memory/grid';

const none = { selection: undefined, former: undefined, other: undefined };
const read: Read = { address: 0x1000n, cells: [0x41, 0x42, 0x43, 0x44, 0, 0, 0, 0, 'denied', 'denied', 'unmapped', 'device', 1, 2, 3, 4] };

test('rows reach the last byte of the address space, and none goes over it', () => {
  expect(row_of(address_space - 1n, 16)).toBe(address_space - 16n);
  expect(clamped_top(address_space - 1n, 10, 16)).toBe(address_space - 160n);
  expect(clamped_top(-5n, 10, 16)).toBe(0n);
  expect(moved(3n, -8)).toBe(0n);
  expect(moved(address_space - 3n, 8)).toBe(address_space - 1n);
  const { address, length } = to_read(address_space - 160n, 10, 16);
  expect(address + BigInt(length)).toBe(address_space);
  expect(to_read(0n, 10, 16)).toEqual({ address: 0n, length: 240 });
});

test('an address that is in sight moves nothing', () => {
  expect(top_showing(0x1040n, 0x1000n, 10, 16)).toBe(0x1000n);
  expect(top_showing(0x2000n, 0x1000n, 10, 16)).toBe(0x1fe0n);
  expect(top_showing(0n, 0x1000n, 10, 16)).toBe(0n);
});

test('a row shows every state with its own sign', () => {
  expect(hex_runs(0x1000n, 16, 1, read, none).map((run) => run.text).join('')).toBe('41 42 43 44 00 00 00 00 ?? ?? -- [] 01 02 03 04');
  expect(text_runs(0x1000n, 16, read, none).map((run) => run.text).join('')).toBe('ABCD....??-[....');
  expect(hex_runs(0x1000n, 16, 4, read, none).map((run) => run.text).join('')).toBe('44434241 00000000 ???????? 04030201');
  expect(hex_runs(0x2000n, 8, 1, read, none).map((run) => run.text).join('')).toBe('.. .. .. .. .. .. .. ..');
});

test('denied, unmapped and read bytes are never in one run', () => {
  const looks = hex_runs(0x1000n, 16, 1, read, none).filter((run) => run.text !== ' ').map((run) => run.look);
  expect(looks).toEqual(['byte', 'zero', 'denied', 'unmapped', 'device', 'byte']);
});

test('what changed since the former stop is marked, what was not known is not', () => {
  const former: Read = { address: 0x1001n, cells: [0x42, 0x99] };
  const changed = hex_runs(0x1000n, 16, 1, read, { ...none, former }).filter((run) => run.changed);
  expect(changed.map((run) => [run.address, run.text])).toEqual([[0x1002n, '43']]);
});

test('a selection is marked from either end, and spaces between its units are within', () => {
  expect(bounds({ anchor: 5n, cursor: 2n })).toEqual({ first: 2n, last: 5n, length: 4 });
  const runs = hex_runs(0x1000n, 16, 1, read, { ...none, selection: { anchor: 0x1002n, cursor: 0x1001n } });
  expect(runs.filter((run) => run.selected).map((run) => run.text)).toEqual(['42 43']);
});

test.each([1, 2, 4, 8] as const)('each column of units of %d bytes belongs to the byte that is drawn there', (unit) => {
  const bytes: Read = { address: 0n, cells: Array.from({ length: 16 }, (_, i) => 0xa0 + i) };
  const text = hex_runs(0n, 16, unit, bytes, none).map((run) => run.text).join('');
  expect(text).toHaveLength(hex_columns(16, unit));
  for (let column = 0; column + 1 < text.length; ++column) {
    const pair = text.slice(column, column + 2);
    if (/^a[0-9a-f]$/.test(pair)) expect(byte_at_column(column, 16, unit)).toBe(Number.parseInt(pair, 16) - 0xa0);
  }
  expect(byte_at_column(-4, 16, unit)).toBeLessThan(16);
  expect(byte_at_column(1000, 16, unit)).toBeLessThan(16);
});

test('numbers are little-endian, and there is none where a byte is missing', () => {
  expect(number_at(read, 0x1000n, 4)).toBe(0x44434241n);
  expect(number_at(read, 0x1006n, 4)).toBeUndefined();
  expect(cell_at(undefined, 0n)).toBe('unknown');
});

test.each([
  ['"AB"', '4142'], ['u"AB"', '41004200'], ['"ä"', 'c3a4'], ['u"😀"', '3dd800de'], ['48 8B,05', '488b05'], ['4', undefined], ['zz', undefined], ['', undefined], ['""', undefined],
  ['"' + 'a'.repeat(257) + '"', undefined],
])('the pattern %j is %j', (text, bytes) => expect(parse_pattern(text)).toBe(bytes));

test('bytes to write are whole', () => expect([parse_bytes('0'), parse_bytes('00 ff')]).toEqual([undefined, '00ff']));
