// Writes of the datum, back and on in time.
import { expect, test } from 'vitest';
import type { Datum } from '../src/core/datum';
import { protection_query, to_next_write, to_previous_write, watchpoint_for, who_wrote_it } from '../src/core/datum_commands';
import { RpcError } from '../src/rpc/errors';
import type { Stop } from '../src/rpc/interface';
import { FakeSession } from './fake_session.svelte';

const focus = { at: 100, vp: 1, vtl: 1, frame: 3, address: '0x1' };
const memory: Datum = { kind: 'memory', space: 'gpa', address: '0x1000', length: 16, vtl: 0 };
const register: Datum = { kind: 'register', name: 'cr3', vtl: 1 };
const page: Datum = { kind: 'page', gpa: '0x273000', vtl: 0 };

test('the question looks from the VTL of the datum, without frame', () => {
  const from = (vtl: number) => ({ at: 100, vp: 1, vtl });
  expect(who_wrote_it(memory, focus)).toEqual({ focus: from(0), what: 'memory', space: 'gpa', address: '0x1000', length: 16 });
  expect(who_wrote_it(register, focus)).toEqual({ focus: from(1), what: 'register', register: 'cr3' });
  expect(who_wrote_it(page, focus)).toEqual({ focus: from(0), what: 'slat', address: '0x273000' });
});
test('the watchpoint goes with its first hit, and names the VTL only where it is another', () => {
  expect(watchpoint_for(memory, focus)).toEqual({ kind: 'write', what: 'gpa:0x1000+10', temporary: true, vtl: 0 });
  expect(watchpoint_for(register, focus)).toEqual({ kind: 'register', what: 'cr3', temporary: true });
  expect(watchpoint_for(page, focus)).toBeUndefined();
  expect(protection_query('0x273000')).toBe('kind == ProtectionChange and a <= 0x273000 and 0x273000 < a + b * 0x1000');
});

test('back goes to where the last writer stands, and says what it wrote', async () => {
  const fake = new FakeSession({ who_wrote: () => ({ found: true, at: { at: 42, vp: 1, vtl: 0 }, text: '1 -> 2' }) });
  expect(await to_previous_write(fake.session, register)).toBe(true);
  expect(fake.went).toEqual([{ at: 42, vp: 1, vtl: 0 }]);
  expect(fake.said[0]).toContain('1 -> 2');
  expect(fake.moving).toBeUndefined();
});
test.each<[string, () => never | { found: boolean; text: string }]>([
  ['nothing wrote it', () => ({ found: false, text: 'the run begins here' })],
  [
    'it was refused',
    () => {
      throw new RpcError(-32001, 'there is no register cr9');
    },
  ],
])('%s: the focus stays and a word is said', async (_, who_wrote) => {
  const fake = new FakeSession({ who_wrote });
  expect(await to_previous_write(fake.session, register)).toBe(false);
  expect(fake.went).toEqual([]);
  expect(fake.said.length).toBe(1);
  expect(fake.moving).toBeUndefined();
});
test('while something moves nothing begins', async () => {
  const fake = new FakeSession({ who_wrote: () => ({ found: false, text: '' }) });
  fake.moving = 'running';
  expect([await to_previous_write(fake.session, register), await to_next_write(fake.session, register)]).toEqual([false, false]);
  expect(fake.asked).toEqual([]);
});

const breakpoint = { id: 9, kind: 'register' as const, what: 'cr3', text: '', ignore: 0, hits: 0, enabled: true, temporary: true, resolved: true };
function stopped(breakpoints: number[], reason: Stop['reason'] = 'watchpoint'): Stop {
  return { reason, focus: { at: 200, vp: 1, vtl: 1 }, place: { address: '0x1', text: '' }, instruction: 1, ring: 0, waits: false, breakpoints, text: '' };
}
test('on sets a watchpoint for one motion; when it was met it is gone', async () => {
  const fake = new FakeSession({ 'breakpoint.set': () => ({ breakpoint }) });
  fake.stop = stopped([9]);
  expect(await to_next_write(fake.session, register)).toBe(true);
  expect(fake.ran).toEqual([{}]);
  expect(fake.parameters_of('breakpoint.remove')).toEqual([]);
});
test('another stop before the write takes the watchpoint away', async () => {
  const fake = new FakeSession({ 'breakpoint.set': () => ({ breakpoint }), 'breakpoint.remove': () => ({}) as Record<string, never> });
  fake.stop = stopped([1], 'end');
  await to_next_write(fake.session, register);
  expect(fake.parameters_of('breakpoint.remove')).toEqual([{ id: 9 }]);
  expect(fake.said[0]).toContain('No later write');
});
test('rights of a page are followed by events', async () => {
  const fake = new FakeSession();
  await to_next_write(fake.session, page);
  expect(fake.ran).toEqual([{ until: protection_query('0x273000') }]);
});
