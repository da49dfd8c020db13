import { expect, test } from 'vitest';
import {
  arranged, byte_text, changed_in_cell, counts, difference_kind, difference_kinds, fitting, in_sight, kind_of_cell, most_pages, moved_by, page_at, place_of, rights_kind,
  rights_kinds, type Maps,
} from '../src/panels/slat/map';

test.each([
  [0x00, 'absent', 'not mapped'], [0x10, 'none', '-- -- --'], [0x11, 'r', 'r- -- --'], [0x13, 'rw', 'rw -- --'], [0x1b, 'rwu', 'rw -- ux'], [0x1d, 'rx', 'r- kx ux'],
  [0x15, 'rx', 'r- kx --'], [0x1f, 'all', 'rw kx ux'], [0x17, 'other', 'rw kx --'], [0x12, 'other', '-w -- --'],
])('byte %i is %s', (byte, id, text) => {
  expect(rights_kinds[rights_kind(byte)]!.id).toBe(id);
  expect(byte_text(byte)).toBe(text);
});

test.each([
  [0x10, 0x1f, 'only1'], [0x1b, 0x1f, 'less0'], [0x1f, 0x1b, 'less1'], [0x13, 0x1d, 'either'], [0x1f, 0x1f, 'same'], [0x10, 0x10, 'same'], [0, 0, 'absent'],
])('VTL 0 %i and VTL 1 %i: %s', (of0, of1, id) => expect(difference_kinds[difference_kind(of0, of1)]!.id).toBe(id));

test('every kind has a pattern and a colour of its own, but for the one that says that there are several', () => {
  for (const kinds of [rights_kinds, difference_kinds]) {
    const patterns = kinds.filter((kind) => kind.id !== 'other').map((kind) => kind.pattern);
    expect(new Set(patterns).size).toBe(patterns.length);
  }
});

const maps: Maps = { first: 100, of0: new Uint8Array([0x1f, 0x1f, 0x10, 0x00]), of1: new Uint8Array([0x1f, 0x1f, 0x1f, 0x00]) };
test('a cell of several pages says when they differ', () => {
  expect(rights_kinds[kind_of_cell(maps, 'vtl0', 100, 2)!]!.id).toBe('all');
  expect(rights_kinds[kind_of_cell(maps, 'vtl0', 100, 4)!]!.id).toBe('mixed');
  expect(difference_kinds[kind_of_cell(maps, 'difference', 102, 1)!]!.id).toBe('only1');
  expect(kind_of_cell(maps, 'vtl0', 104, 1)).toBeUndefined();
  expect(kind_of_cell({ ...maps, of1: undefined }, 'vtl1', 100, 1)).toBeUndefined();
  expect(counts(maps, 'vtl0').reduce((sum, each) => sum + each)).toBe(4);
});

test('what changed is told by either VTL, and only where both instants are known', () => {
  const before: Maps = { first: 101, of0: new Uint8Array([0x1f, 0x1f]), of1: new Uint8Array([0x1f, 0x1f]) };
  expect([100, 101, 102, 103].map((page) => changed_in_cell(maps, before, page, 1))).toEqual([false, false, true, false]);
  expect(changed_in_cell(maps, before, 100, 4)).toBe(true);
  expect(changed_in_cell(maps, undefined, 100, 4)).toBe(false);
});

test.each([1, 100, 32768, 1 << 21, 1 << 28])('a machine of %d pages fits, as far as it may be asked for', (total) => {
  const pages = fitting(total, 450, 270);
  const geometry = arranged(total, 450, 270, pages, 0, 0);
  const cells = geometry.columns * geometry.rows * pages;
  expect(cells >= total || 2 * cells > most_pages).toBe(true);
  expect(in_sight(geometry, total).pages).toBeLessThanOrEqual(most_pages);
});

test('the cursor is in sight wherever it goes, and each cell is found again under the pointer', () => {
  const total = 32768;
  for (const cursor of [0, 1, 777, 20000, total - 1]) {
    const geometry = arranged(total, 453, 275, 4, 0, cursor);
    const { x, y } = place_of(geometry, cursor);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(y + geometry.size).toBeLessThanOrEqual(275);
    expect(page_at(geometry, total, x + 1, y + 1)).toBe(cursor - (cursor % 4));
  }
  const geometry = arranged(total, 453, 275, 4, 0, 0);
  expect(page_at(geometry, 10, 450, 270)).toBeUndefined();
});

test('keys stay within the memory', () => {
  const total = 1000;
  const geometry = arranged(total, 90, 90, 1, 0, 0);
  expect(moved_by('ArrowDown', 5, geometry, total)).toBe(15);
  expect(moved_by('ArrowLeft', 0, geometry, total)).toBe(0);
  expect(moved_by('End', 5, geometry, total)).toBe(999);
  expect(moved_by('x', 5, geometry, total)).toBeUndefined();
});

test('cells grow where there is room, and all pages stay in sight', () => {
  const geometry = arranged(100, 400, 400, 1, 0, 0);
  expect(geometry.size).toBeGreaterThan(9);
  expect(geometry.columns * geometry.rows).toBeGreaterThanOrEqual(100);
});
