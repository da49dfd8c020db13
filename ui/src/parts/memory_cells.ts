// The answer of memory.read as one cell a byte.
import { bytes_of } from '../core/text';
import type { MemoryPart } from '../rpc/interface';
import type { Cell } from './copy_as';

/** `length` cells; what no part covers is unknown. */
export function cells_of(parts: readonly MemoryPart[], length: number): Cell[] {
  const cells = new Array<Cell>(length).fill('unknown');
  for (const part of parts) {
    const end = Math.min(length, part.offset + part.length);
    const bytes = part.state === 'readable' && part.bytes !== undefined ? bytes_of(part.bytes) : undefined;
    for (let at = Math.max(0, part.offset); at < end; ++at) cells[at] = bytes ? (bytes[at - part.offset] ?? 'unknown') : other_state(part.state);
  }
  return cells;
}

function other_state(state: MemoryPart['state']): Cell {
  return state === 'readable' ? 'unknown' : state;
}

/** The rule that denied, or what else was said, at an offset. */
export function why_at(parts: readonly MemoryPart[], offset: number): string | undefined {
  return parts.find((part) => offset >= part.offset && offset < part.offset + part.length)?.why;
}
