import { expect, test } from 'vitest';
import { cached_bits, shown_entries, stale } from '../src/panels/tlb/entries';
import type { TlbEntry } from '../src/rpc/interface';

const entry = (more: Partial<TlbEntry>): TlbEntry => ({ gva: '0x1000', gpa: '0x2000', spa: '0x2000', partition: 1, vp: 0, vtl: 0, pcid: 0, rights: 'W NX D / r w ux', ...more });

test('addresses are ordered as numbers', () => {
  const entries = ['0xfffff80000000000', '0x1000', '0x9000', '0x10000'].map((gva) => entry({ gva }));
  expect(shown_entries(entries, '', { by: 'gva', down: false }).map((each) => each.gva)).toEqual(['0x1000', '0x9000', '0x10000', '0xfffff80000000000']);
  expect(shown_entries(entries, '', { by: 'gva', down: true })[0]!.gva).toBe('0xfffff80000000000');
});

test('all words of a filter must be there', () => {
  const entries = [entry({ vtl: 1 }), entry({ vtl: 1, gva: '0xabc000' }), entry({ gva: '0xabc000' })];
  expect(shown_entries(entries, ' VTL1  0xABC', { by: 'vp', down: false })).toEqual([entries[1]]);
  expect(shown_entries(entries, '<b>', { by: 'vp', down: false })).toEqual([]);
});

test('an entry that permits more than the second stage is stale, and so is one that permits less', () => {
  expect(cached_bits(entry({}))).toBe(11);
  expect(cached_bits(entry({ rights: 'W /' }))).toBe(0);
  expect(stale(entry({}), 0x1b)).toBeUndefined();
  expect(stale(entry({}), 0x19)).toEqual({ text: 'still permits w', too_much: true });
  expect(stale(entry({}), 0x1f)).toEqual({ text: 'does not know of kx', too_much: false });
  expect(stale(entry({}), 0)?.too_much).toBe(true);
  expect(stale(entry({}), undefined)).toBeUndefined();
});
