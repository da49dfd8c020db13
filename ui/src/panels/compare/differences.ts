// What two runs have in common: events by their number, registers by name, memory byte by byte.
import { bytes_of } from '../../core/text';
import type { Event, MemoryPart, Register } from '../../rpc/interface';

export type Verdict = 'same' | 'differs' | 'only here' | 'only there' | 'unknown';

/** `ended`: the run has no event of this number, and never will. */
export interface Side {
  event: Event | undefined;
  ended: boolean;
}

export function verdict(here: Side, there: Side): Verdict {
  if (here.event !== undefined && there.event !== undefined) return different(here.event, there.event).length === 0 ? 'same' : 'differs';
  if (here.event !== undefined && there.ended) return 'only here';
  if (there.event !== undefined && here.ended) return 'only there';
  return 'unknown';
}

/** In which respects two events differ, in words. */
export function different(a: Event, b: Event): string[] {
  const words: [string, boolean][] = [
    ['kind', a.kind !== b.kind],
    ['instant', a.at !== b.at],
    ['VP', a.vp !== b.vp],
    ['VTL', a.vtl !== b.vtl],
    ['name', a.name !== b.name],
    ['arguments', JSON.stringify(a.arguments) !== JSON.stringify(b.arguments)],
    ['status', a.outcome !== b.outcome],
    ['values', a.a !== b.a || a.b !== b.b || a.c !== b.c],
    ['place', a.place.address !== b.place.address],
  ];
  return words.filter(([, differs]) => differs).map(([word]) => word);
}

export interface RegisterPair {
  name: string;
  group: string;
  here: string | undefined;
  there: string | undefined;
  same: boolean;
}

export function pair_registers(here: readonly Register[], there: readonly Register[]): RegisterPair[] {
  const others = new Map(there.map((register) => [register.name, register]));
  const pairs = here.map((register): RegisterPair => {
    const other = others.get(register.name);
    others.delete(register.name);
    return { name: register.name, group: register.group, here: register.value, there: other?.value, same: register.value === other?.value };
  });
  for (const { name, group, value } of others.values()) pairs.push({ name, group, here: undefined, there: value, same: false });
  return pairs;
}

export interface ByteCell {
  /** Two digits, ?? denied, -- unmapped, dv device. */
  text: string;
  same: boolean;
}
export interface ByteRow {
  offset: number;
  here: ByteCell[];
  there: ByteCell[];
}

const signs = { denied: '??', unmapped: '--', device: 'dv' } as const;
const row_length = 16;

/** What is at each byte: digits, or why there are none. */
export function texts_of(parts: readonly MemoryPart[], length: number): string[] {
  const texts = Array.from({ length }, () => '');
  for (const part of parts) {
    const bytes = part.state === 'readable' && part.bytes !== undefined ? bytes_of(part.bytes) : undefined;
    for (let i = 0; i < part.length && part.offset + i < length; ++i)
      texts[part.offset + i] = bytes === undefined ? signs[part.state as keyof typeof signs] ?? '' : (bytes[i] ?? 0).toString(16).padStart(2, '0');
  }
  return texts;
}

export function pair_memory(here: readonly MemoryPart[], there: readonly MemoryPart[], length: number): ByteRow[] {
  const [a, b] = [texts_of(here, length), texts_of(there, length)];
  const rows: ByteRow[] = [];
  for (let offset = 0; offset < length; offset += row_length) {
    const cells = (texts: string[], others: string[]): ByteCell[] =>
      texts.slice(offset, offset + row_length).map((text, i) => ({ text, same: text === others[offset + i] }));
    rows.push({ offset, here: cells(a, b), there: cells(b, a) });
  }
  return rows;
}
