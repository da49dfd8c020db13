import { expect, test } from 'vitest';
import { format_datum, parse_datum, type Datum } from '../src/core/datum';
import { format_link, moves, parse_link, type Link } from '../src/core/link';

const whole: Link = { token: 'abc', configuration: '0123', at: 4711, vp: 1, vtl: 1, frame: 2, datum: 'page.0x1000.0', layout: 'teach', query: 'vtl == 1 && a < 3' };

test('a link says again what it was made of', () => {
  expect(parse_link(format_link(whole))).toEqual(whole);
});

test.each(['#at=-1', '#at=1e9', '#at=99999999999999999', '#vtl=<img>', '#at=', '#t'])('what is no number in %s is passed over', (fragment) => {
  const { token: _, ...link } = parse_link(fragment);
  expect(link).toEqual({});
});

test('a link moves to another instant, processor, VTL or frame only', () => {
  const focus = { at: 10, vp: 0, vtl: 1 };
  expect(moves({ at: 10, vp: 0, vtl: 1 }, focus)).toBe(false);
  expect(moves({ token: 'x', layout: 'teach' }, focus)).toBe(false);
  for (const link of [{ at: 11 }, { vp: 1 }, { vtl: 0 }, { frame: 1 }]) expect(moves(link, focus)).toBe(true);
});

const data: Datum[] = [
  { kind: 'memory', space: 'spa', address: '0xfff', length: 8, vtl: 1 },
  { kind: 'register', name: 'rax', vtl: 0 },
  { kind: 'page', gpa: '0x1000', vtl: 0 },
];
test.each(data)('a datum is read back: %o', (datum) => {
  expect(parse_datum(format_datum(datum))).toEqual(datum);
});

test.each(['', 'memory.gva.12.8.1', 'register.<b>.1', 'page.0x1.9', 'memory.gva.0x1.8'])('%j is no datum', (text) => {
  expect(parse_datum(text)).toBeUndefined();
});
