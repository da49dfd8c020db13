import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Compare from '../src/panels/compare/Compare.svelte';
import { different, pair_memory, pair_registers, texts_of, verdict } from '../src/panels/compare/differences';
import type { Event, Register } from '../src/rpc/interface';
import { event_answers, event_of, settle, with_height } from './events';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

const register = (name: string, value: string): Register => ({ name, value, bits: 64, group: 'general', shared: false });

describe('differences', () => {
  const here = (event?: Event, ended = false) => ({ event, ended });
  test('of events, in words', () => {
    expect(different(event_of(1), event_of(1))).toEqual([]);
    expect(different(event_of(1), event_of(1, { at: 11, outcome: 'x', a: '0x2' }))).toEqual(['instant', 'status', 'values']);
    expect(verdict(here(event_of(1)), here(event_of(1)))).toBe('same');
    expect(verdict(here(event_of(1)), here(event_of(1, { vtl: 0 })))).toBe('differs');
    expect(verdict(here(event_of(1)), here(undefined, true))).toBe('only here');
    expect(verdict(here(undefined, true), here(event_of(1)))).toBe('only there');
    expect(verdict(here(event_of(1)), here())).toBe('unknown'); // it has not come yet
  });
  test('of registers, by name', () => {
    const pairs = pair_registers([register('rax', '0x1'), register('rbx', '0x2'), register('old', '0x0')], [register('rbx', '0x3'), register('rax', '0x1'), register('new', '0x0')]);
    expect(pairs.filter((pair) => !pair.same).map(({ name, here, there }) => [name, here, there])).toEqual([
      ['rbx', '0x2', '0x3'],
      ['old', '0x0', undefined],
      ['new', undefined, '0x0'],
    ]);
  });
  test('of memory: denied is not unmapped, and neither is a byte', () => {
    const rows = pair_memory(
      [{ offset: 0, length: 2, state: 'readable', bytes: '41ff' }, { offset: 2, length: 14, state: 'denied' }],
      [{ offset: 0, length: 2, state: 'readable', bytes: '42ff' }, { offset: 2, length: 13, state: 'denied' }, { offset: 15, length: 1, state: 'unmapped' }],
      16,
    );
    expect(rows[0]!.here.map((cell) => cell.text).join(' ')).toBe(`41 ff ${'?? '.repeat(14)}`.trim());
    expect(rows[0]!.there.flatMap((cell, i) => (cell.same ? [] : [i]))).toEqual([0, 15]);
  });
  test('parts that reach beyond what was asked for are cut', () => {
    expect(texts_of([{ offset: 0, length: 1e9, state: 'unmapped' }], 4)).toEqual(['--', '--', '--', '--']);
  });
});

describe('the pane', () => {
  beforeEach(() => with_height(400));
  afterEach(cleanup);

  async function open(change: (event: Event, index: number) => Event | undefined, parting: object = { same: true, text: 'Both runs are the same.' }) {
    const events = Array.from({ length: 40 }, (_, i) => event_of(i));
    const others = events.map(change).filter((event) => event !== undefined);
    const session = new FakeSession({ ...(event_answers(events) as object), compare: () => parting as never });
    const other = new FakeSession(event_answers(others) as never);
    other.number = 1;
    (other.answers as Record<string, unknown>)['registers'] = () => ({ registers: [register('rbx', '0xbad')], active: true, enabled: true });
    const desk = { ...fake_desk(), other: other.session };
    render(InWorkspace, { props: { desk, of: Compare as never, props: { session: session.session, parameters: {} } } });
    await settle(60);
    return { session, other };
  }
  const rows = () => within(screen.getByRole('grid')).getAllByRole('row').slice(1);
  const row = (number: number) => rows().find((each) => each.querySelector('[role=gridcell]')?.textContent === String(number))!;

  test('says of each event whether both runs have it', async () => {
    await open((event, i) => (i < 12 ? event : i < 15 ? { ...event, outcome: hostile } : undefined));
    expect(row(11).textContent).toContain('= same');
    expect(row(12).textContent).toContain('≠ differs: status');
    await fireEvent.keyDown(screen.getByRole('grid'), { key: 'End' });
    await settle();
    expect(row(39).textContent).toContain('≠ only here');
    expect(row(39).textContent).toContain('the run has ended');
    expect(document.querySelector('img')).toBeNull();
  });

  test('goes to the first difference in both runs', async () => {
    const found = { same: false, number: 20, at: 200, other_at: 205, event: event_of(20), other_event: event_of(20, { at: 205, vtl: 1 }), text: 'They part at event 20.' };
    const { session, other } = await open((event, i) => (i < 20 ? event : { ...event, at: event.at + 5 }), found);
    expect(screen.getByText('They part at event 20.')).toBeTruthy();
    await fireEvent.click(screen.getByRole('button', { name: 'First difference' }));
    await settle();
    expect(session.went).toEqual([{ at: 200, vp: 0, vtl: 0 }]);
    expect(other.went).toEqual([{ at: 205, vp: 0, vtl: 1 }]);
    expect(row(20).getAttribute('aria-selected')).toBe('true');
  });

  test('steps both by event number, or one alone', async () => {
    const { session, other } = await open((event) => ({ ...event, at: event.at + 1 }));
    await fireEvent.click(screen.getByRole('button', { name: '▼ Event' }));
    await settle();
    expect([session.went, other.went]).toEqual([[{ at: 110, vp: 0, vtl: 1 }], [{ at: 111, vp: 0, vtl: 1 }]]);
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Both move' }));
    await fireEvent.click(screen.getByRole('button', { name: '▲ Event' }));
    await settle();
    expect([session.went.length, other.went.length]).toEqual([2, 1]);
  });

  test('shows the registers that differ', async () => {
    await open((event) => event);
    const table = within(screen.getByRole('region', { name: 'Registers of both runs' })).getByRole('table');
    expect(table.textContent).toContain('rbx0x10900d000010xbaddiffers');
    expect(table.textContent).toContain('xmm100x22220000000000001111–only here');
  });

  test('says how to get another run', async () => {
    const session = new FakeSession({});
    render(InWorkspace, { props: { desk: fake_desk(), of: Compare as never, props: { session: session.session, parameters: {} } } });
    expect(screen.getByRole('status').textContent).toContain('--compare');
    expect(session.asked).toEqual([]);
  });
});
