// The stretch of code that a pane knows: consecutive lines, put together from answers. What did not change keeps its
// identity, so that rows of a step before are not drawn again.
import type { Line } from '../../rpc/interface';

/** Lines that are kept: what is further from the last answer is asked for again. */
export const longest_listing = 2000;

/** As numbers, without making them: both are "0x" and lower-case digits without leading zeros. */
export function compare_addresses(a: string, b: string): number {
  if (a.length !== b.length) return a.length - b.length;
  return a < b ? -1 : a > b ? 1 : 0;
}

/** Of the byte after the line. What cannot be decoded or read takes one byte. */
export function end_of(line: Line): string {
  return `0x${(BigInt(line.place.address) + BigInt(Math.max(line.bytes.length >> 1, 1))).toString(16)}`;
}

/** The index of the line at `address`; -1: none begins there. */
export function find_line(lines: readonly Line[], address: string | undefined): number {
  if (address === undefined) return -1;
  const index = first_not_before(lines, address);
  return lines[index]?.place.address === address ? index : -1;
}

/** The address lies in what the lines cover. */
export function covers(lines: readonly Line[], address: string): boolean {
  const first = lines[0];
  const last = lines.at(-1);
  if (first === undefined || last === undefined) return false;
  return compare_addresses(address, first.place.address) >= 0 && compare_addresses(address, last.place.address) <= 0;
}

/**
 * The listing after an answer: what stood right before and after it stays, where instructions meet. Without a common border
 * the answer is all there is. Returns `known` itself if nothing is different.
 */
export function merge(known: readonly Line[], answer: readonly Line[]): readonly Line[] {
  if (answer.length === 0) return known;
  if (known.length === 0) return answer;
  const first = answer[0]!.place.address;
  const end = end_of(answer.at(-1)!);
  const begin_index = first_not_before(known, first);
  const end_index = first_not_before(known, end);
  const before = begin_index > 0 && end_of(known[begin_index - 1]!) === first ? known.slice(0, begin_index) : [];
  const after = known[end_index]?.place.address === end ? known.slice(end_index) : [];
  const middle = answer.map((line) => reuse(known, line));
  const same =
    before.length + middle.length + after.length === known.length && middle.every((line, index) => line === known[before.length + index]);
  return same ? known : cut([...before, ...middle, ...after], before.length, middle.length);
}

function first_not_before(lines: readonly Line[], address: string): number {
  let low = 0;
  let high = lines.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (compare_addresses(lines[middle]!.place.address, address) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function reuse(known: readonly Line[], line: Line): Line {
  const old = known[find_line(known, line.place.address)];
  return old !== undefined && same_line(old, line) ? old : line;
}

/** But for `current`: that follows from the focus. */
function same_line(a: Line, b: Line): boolean {
  return (
    a.bytes === b.bytes &&
    a.text === b.text &&
    a.source === b.source &&
    a.place.text === b.place.text &&
    a.place.line === b.place.line &&
    a.target?.text === b.target?.text &&
    a.breakpoints.length === b.breakpoints.length &&
    a.breakpoints.every((id, index) => id === b.breakpoints[index])
  );
}

/** The answer, which begins at `from`, with as much around it as is kept. */
function cut(lines: readonly Line[], from: number, count: number): readonly Line[] {
  if (lines.length <= longest_listing) return lines;
  const spare = Math.max(0, longest_listing - count) >> 1;
  const start = Math.max(0, from - spare);
  return lines.slice(start, Math.max(from + count, start + longest_listing));
}
