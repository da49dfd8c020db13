import { describe, expect, test, vi } from 'vitest';
import { EventRows, page_size, wanted_pages, type EventSource } from '../src/parts/event_rows.svelte';
import { code, RpcError } from '../src/rpc/errors';
import type { Event } from '../src/rpc/interface';

const event = (number: number): Event => ({
  at: number * 10, number, vp: 0, vtl: 0, kind: 'Hypercall', name: `call ${number}`, arguments: [], outcome: '', a: '0x0', b: '0x0', c: '0x0',
  place: { address: '0x0', text: '' }, text: '',
});

type Asked = { first: number; count: number; query?: string };
/** A program whose answers come when the test says so. */
class Program {
  total = 1000;
  complete = true;
  looked_at = 1000;
  waiting: { asked: Asked; answer: () => void; fail: (error: unknown) => void }[] = [];
  asked: Asked[] = [];
  call = vi.fn((method: string, parameters: Asked & { at?: number }) => {
    if (method === 'events.locate') return Promise.resolve({ row: Math.ceil(parameters.at! / 10), complete: this.complete });
    this.asked.push(parameters);
    return new Promise((resolve, reject) => {
      const { first, count } = parameters;
      const answer = () => {
        const rows = Math.max(0, Math.min(count, this.total - first));
        resolve({ events: Array.from({ length: rows }, (_, i) => event(first + i)), total: this.total, complete: this.complete, looked_at: this.looked_at });
      };
      this.waiting.push({ asked: parameters, answer, fail: reject });
    });
  });
  async answer(): Promise<void> {
    for (const one of this.waiting.splice(0)) one.answer();
    await settled();
  }
}
const settled = async () => {
  for (let i = 0; i < 10; ++i) await Promise.resolve();
};
function of(program: Program): EventRows {
  return new EventRows(program as unknown as EventSource);
}
const pages = (program: Program) => program.asked.filter((one) => one.count > 0).map((one) => one.first / page_size);

describe('pages', () => {
  test('those in sight come first, then those ahead, then the one behind', () => {
    expect(wanted_pages(250, 60, 10_000, false)).toEqual([2, 3, 4, 5, 1]);
    expect(wanted_pages(250, 60, 10_000, true)).toEqual([3, 2, 1, 0, 4]);
  });
  test('none lies outside the list', () => {
    expect(wanted_pages(0, 40, 150, false)).toEqual([0, 1]);
    expect(wanted_pages(9_999_990, 10, 1e7, false)).toEqual([99_999, 99_998]);
    expect(wanted_pages(500, 40, 100, false)).toEqual([0]);
    expect(wanted_pages(0, 40, 0, false)).toEqual([]);
  });
});

test('rows are here when their page has come, and a page is asked for once', async () => {
  const program = new Program();
  const rows = of(program);
  rows.ask('');
  await program.answer();
  expect(rows.total).toBe(1000);
  rows.sight(110, 30);
  expect(rows.row(110)).toBeUndefined();
  await program.answer();
  await program.answer();
  await program.answer();
  expect(rows.row(110)?.name).toBe('call 110');
  rows.sight(112, 30);
  await program.answer();
  expect(pages(program)).toEqual([1, 2, 3, 0]);
});

test('of places that are passed quickly only the last is fetched: two questions at most are under way', async () => {
  const program = new Program();
  program.total = program.looked_at = 1e7;
  const rows = of(program);
  rows.ask('');
  await program.answer();
  for (let first = 0; first < 1e6; first += 1000) rows.sight(first, 30);
  expect(program.waiting.length).toBe(2);
  await program.answer();
  expect(program.waiting.map((one) => one.asked.first)).toEqual([999_000, 999_100]);
});

test('what is kept is bounded', async () => {
  const program = new Program();
  program.total = program.looked_at = 1e7;
  const rows = of(program);
  rows.ask('');
  await program.answer();
  for (let first = 0; first < 500 * page_size; first += page_size) {
    rows.sight(first, 30);
    for (let i = 0; i < 3; ++i) await program.answer();
  }
  expect(rows.known().length).toBeLessThanOrEqual(60 * page_size);
  expect(rows.row(499 * page_size)?.number).toBe(499 * page_size);
});

test('another query keeps the rows on screen until its first answer, and drops answers to the one before', async () => {
  const program = new Program();
  const rows = of(program);
  rows.ask('');
  await program.answer();
  rows.sight(0, 30);
  await program.answer();
  expect(rows.row(0)).toBeDefined();
  rows.sight(500, 30); // under way when the query changes
  rows.ask('vtl == 1');
  expect(rows.row(0)).toBeDefined();
  const old = program.waiting.filter((one) => one.asked.query === undefined);
  expect(old.length).toBeGreaterThan(0);
  for (const one of old) one.answer();
  await settled();
  expect(rows.row(500)).toBeUndefined();
  program.total = 3;
  await program.answer();
  expect(rows.total).toBe(3);
  expect(rows.row(0)).toBeUndefined();
  expect(program.asked.at(-1)?.query).toBe('vtl == 1');
});

test('a search is asked on until it is complete', async () => {
  vi.useFakeTimers();
  const program = new Program();
  Object.assign(program, { complete: false, total: 1, looked_at: 100 });
  const rows = of(program);
  rows.ask('status != 0');
  await program.answer();
  expect([rows.complete, rows.looked_at]).toEqual([false, 100]);
  Object.assign(program, { complete: true, total: 7, looked_at: 1000 });
  await vi.advanceTimersByTimeAsync(1);
  await program.answer();
  expect([rows.complete, rows.total]).toEqual([true, 7]);
  await vi.advanceTimersByTimeAsync(1000);
  expect(program.waiting).toEqual([]);
  vi.useRealTimers();
});

test('what the program refuses is told, and a query that is right again clears it', async () => {
  const program = new Program();
  const rows = of(program);
  rows.ask('foo');
  program.waiting.splice(0)[0]!.fail(new RpcError(code.invalidParameters, 'query, column 1: foo is nothing'));
  await settled();
  expect(rows.error?.message).toContain('column 1');
  expect(program.waiting).toEqual([]); // it is not asked again by itself
  rows.ask('vtl == 1');
  await program.answer();
  expect(rows.error).toBeUndefined();
});

test('the last page is fetched again when the list has grown', async () => {
  const program = new Program();
  program.total = program.looked_at = 50;
  const rows = of(program);
  rows.ask('');
  await program.answer();
  rows.sight(0, 60);
  await program.answer();
  expect(rows.row(50)).toBeUndefined();
  program.total = 70;
  rows.more();
  await program.answer();
  await program.answer();
  expect(rows.row(69)?.number).toBe(69);
});

test('of instants to locate the last one counts', async () => {
  const program = new Program();
  const rows = of(program);
  rows.locate(100);
  rows.locate(200);
  rows.locate(300);
  for (let i = 0; i < 5; ++i) await settled();
  expect(rows.located).toEqual({ at: 300, row: 30, complete: true });
  expect(program.call).toHaveBeenCalledTimes(2);
});
