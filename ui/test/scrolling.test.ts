import { describe, expect, test } from 'vitest';
import { Scrolling } from '../src/parts/scrolling';
import { maximum_height } from '../src/parts/window';

function of(rows: number, view = 600): Scrolling {
  const scrolling = new Scrolling();
  scrolling.resize({ rows, row_height: 20, view });
  return scrolling;
}

describe.each([10, 1e4, 1e6, 1e7, 1e8])('%d rows', (rows) => {
  test('the bar reaches the first and the last row', () => {
    const scrolling = of(rows, 100);
    const lowest = Math.min(rows * 20, maximum_height) - 100;
    scrolling.moved(lowest);
    const { first, count, offset } = scrolling.drawn();
    expect(first + count).toBe(rows);
    expect(offset + count * 20).toBeGreaterThanOrEqual(99);
    scrolling.moved(0);
    expect(scrolling.drawn()).toMatchObject({ first: 0, offset: 0 });
  });

  test('every row can be brought into sight whole', () => {
    for (const row of [0, 1, Math.floor(rows / 3), rows - 2, rows - 1]) {
      const scrolling = of(rows, 100);
      scrolling.bring(row);
      const { first, offset } = scrolling.drawn();
      const y = offset + (row - first) * 20;
      expect(y).toBeGreaterThanOrEqual(0);
      expect(y).toBeLessThanOrEqual(80);
    }
  });
});

test('the wheel moves by the same few rows in the longest list', () => {
  const scrolling = of(1e8);
  scrolling.bring(50_000_000, true);
  const { first } = scrolling.drawn();
  scrolling.by(100);
  expect(scrolling.drawn().first).toBe(first + 5);
  scrolling.set_bar(scrolling.bar);
  expect(scrolling.moved(scrolling.bar + 0.4)).toBe(false); // the echo, rounded
  expect(scrolling.drawn().first).toBe(first + 5);
});

test('a row that is in sight is not moved, and the middle only where the row stands at the edge', () => {
  const scrolling = of(1000, 200);
  scrolling.bring(15);
  const { top } = scrolling;
  expect(scrolling.bring(14)).toBe(false);
  expect(scrolling.bring(15, true)).toBe(true);
  expect(scrolling.top).toBeGreaterThan(top);
  expect(scrolling.bring(15, true)).toBe(false);
});

test('more rows move nothing; fewer rows keep the end in sight', () => {
  const scrolling = of(1000);
  scrolling.bring(900);
  const { first } = scrolling.drawn();
  scrolling.resize({ rows: 5000, row_height: 20, view: 600 });
  expect(scrolling.drawn().first).toBe(first);
  scrolling.resize({ rows: 40, row_height: 20, view: 600 });
  expect(scrolling.drawn()).toMatchObject({ first: 10, count: 30 });
  scrolling.resize({ rows: 0, row_height: 20, view: 600 });
  expect(scrolling.drawn().count).toBe(0);
});
