// Cached translations as a table: order, filter, and whether the second stage still says the same.
import type { TlbEntry } from '../../rpc/interface';

export type Column = 'vp' | 'vtl' | 'pcid' | 'gva' | 'gpa' | 'spa' | 'rights';
export const columns: readonly { id: Column; text: string; width: number }[] = [
  { id: 'vp', text: 'VP', width: 4 },
  { id: 'vtl', text: 'VTL', width: 7 },
  { id: 'gva', text: 'GVA', width: 18 },
  { id: 'gpa', text: 'GPA', width: 11 },
  { id: 'rights', text: 'rights', width: 24 },
  { id: 'pcid', text: 'PCID', width: 6 },
  { id: 'spa', text: 'SPA', width: 11 },
];

export interface Order {
  by: Column;
  down: boolean;
}

const numbers = new Set<Column>(['vp', 'vtl', 'pcid']);

function compared(one: TlbEntry, other: TlbEntry, by: Column): number {
  if (by === 'rights') return one.rights < other.rights ? -1 : one.rights > other.rights ? 1 : 0;
  if (numbers.has(by)) return (one[by] as number) - (other[by] as number);
  // "0x..." without leading zeros: the longer one is the larger one
  const [a, b] = [one[by] as string, other[by] as string];
  return a.length - b.length || (a < b ? -1 : a > b ? 1 : 0);
}

export function text_of(entry: TlbEntry): string {
  return `vp${entry.vp} vtl${entry.vtl} pcid${entry.pcid} ${entry.gva} ${entry.gpa} ${entry.spa} ${entry.rights}`.toLowerCase();
}

/** Words that all must be there: "vtl1 0x27". Equal entries stay in the server's order. */
export function shown_entries(entries: readonly TlbEntry[], filter: string, order: Order, only?: (entry: TlbEntry) => boolean): TlbEntry[] {
  const words = filter.toLowerCase().replace(/`/g, '').split(/\s+/).filter((word) => word !== '');
  const some = entries.filter((entry) => (only?.(entry) ?? true) && words.every((word) => text_of(entry).includes(word)));
  return some.sort((one, other) => compared(one, other, order.by) * (order.down ? -1 : 1));
}

/** Bits as slat.map has them. */
export function cached_bits(entry: TlbEntry): number {
  const second = entry.rights.split('/')[1]?.trim().split(/\s+/) ?? [];
  const bit: Record<string, number> = { r: 1, w: 2, kx: 4, ux: 8 };
  return second.reduce((sum, word) => sum | (bit[word] ?? 0), 0);
}

const names: readonly [number, string][] = [[1, 'r'], [2, 'w'], [4, 'kx'], [8, 'ux']];
function named(bits: number): string {
  return names.filter(([bit]) => (bits & bit) !== 0).map(([, name]) => name).join(' ');
}

/** What the entry permits and the second stage does not, or the other way round; undefined: they say the same. */
export function stale(entry: TlbEntry, slat: number | undefined): { text: string; too_much: boolean } | undefined {
  if (slat === undefined) return undefined;
  const cached = cached_bits(entry);
  if ((slat & 0x10) === 0) return { text: 'the page is not mapped any more', too_much: true };
  const too_much = cached & ~slat & 0xf;
  const too_little = slat & ~cached & 0xf;
  if (too_much !== 0) return { text: `still permits ${named(too_much)}`, too_much: true };
  return too_little === 0 ? undefined : { text: `does not know of ${named(too_little)}`, too_much: false };
}
