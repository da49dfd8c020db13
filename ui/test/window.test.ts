import { expect, test } from 'vitest';
import { maximum_height, rows_in_sight, scroll_to, spacer_height } from '../src/parts/window';

test('a short list shows the rows at the scroll position', () => {
  const rows = rows_in_sight(1000, 20, 400, 200, 0);
  expect(rows).toEqual({ first: 20, count: 10, top: 400 });
});

test.each([1e5, 1e7, 1e8])('the last of %d rows can be reached, and stands at the bottom', (count) => {
  const height = spacer_height(count, 20);
  expect(height).toBeLessThanOrEqual(maximum_height);
  const rows = rows_in_sight(count, 20, height - 600, 600, 0);
  expect(rows.first + rows.count).toBe(count);
  expect(rows.top + rows.count * 20).toBeCloseTo(height, 3);
});

test.each([0, 1, 4999, 123_456_7, 99_999_999])('scrolling to row %d of 10^8 shows it whole', (row) => {
  const scroll = scroll_to(row, 1e8, 20, 0, 600);
  const rows = rows_in_sight(1e8, 20, scroll, 600, 0);
  const y = rows.top - scroll + (row - rows.first) * 20;
  expect(y).toBeGreaterThanOrEqual(-1);
  expect(y).toBeLessThanOrEqual(581);
});

test('a row that is in sight is not moved', () => {
  expect(scroll_to(15, 1000, 20, 200, 400)).toBe(200);
});
