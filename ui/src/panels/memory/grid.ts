// The memory pane's arithmetic: rows over 64 bits of addresses, bytes grouped into runs that look alike, and where a pointer is.
import { cell_text, character, sign_of, type Cell } from '../../parts/copy_as';

export const address_space = 1n << 64n;
const last_address = address_space - 1n;

export type Unit = 1 | 2 | 4 | 8;
export type Width = 8 | 16 | 32;
export const units: readonly Unit[] = [1, 2, 4, 8];
export const widths: readonly Width[] = [8, 16, 32];

/** The row that an address lies in. */
export function row_of(address: bigint, width: Width): bigint {
  return address - (address % BigInt(width));
}

/** Moved by bytes; stays in the address space. */
export function moved(address: bigint, by: number | bigint): bigint {
  const to = address + BigInt(by);
  return to < 0n ? 0n : to > last_address ? last_address : to;
}

/** The first row, when `rows` of them are shown and the top is to be at `top`: the last rows stay at the bottom. */
export function clamped_top(top: bigint, rows: number, width: Width): bigint {
  const highest = address_space - BigInt(rows * width);
  const row = row_of(top < 0n ? 0n : top, width);
  return row > highest ? row_of(highest, width) : row;
}

/** The top that has `address` in sight: unmoved when it is, else with a little before it. */
export function top_showing(address: bigint, top: bigint, rows: number, width: Width): bigint {
  const row = row_of(address, width);
  if (row >= top && row < top + BigInt(rows * width)) return top;
  const before = BigInt(Math.min(2, Math.max(0, rows - 1)) * width);
  return clamped_top(row - before, rows, width);
}

/** What is to be read so that a screen can be scrolled by half another one without waiting. */
export function to_read(top: bigint, rows: number, width: Width): { address: bigint; length: number } {
  const spare = BigInt(Math.ceil(rows / 2) * width);
  const address = top > spare ? top - spare : 0n;
  const end = top + BigInt(rows * width) + spare;
  return { address, length: Number((end > address_space ? address_space : end) - address) };
}

export interface Selection {
  /** Where it began. */
  anchor: bigint;
  /** Where it was moved to; the byte itself belongs to it. */
  cursor: bigint;
}

export function bounds(selection: Selection): { first: bigint; last: bigint; length: number } {
  const { anchor, cursor } = selection;
  const [first, last] = anchor <= cursor ? [anchor, cursor] : [cursor, anchor];
  return { first, last, length: Number(last - first) + 1 };
}

/** Cells that were read: from an address on. */
export interface Read {
  address: bigint;
  cells: readonly Cell[];
}

export function cell_at(read: Read | undefined, address: bigint): Cell {
  if (read === undefined || address < read.address) return 'unknown';
  const offset = address - read.address;
  return offset < BigInt(read.cells.length) ? read.cells[Number(offset)]! : 'unknown';
}

/** Both are known, and they differ. */
export function differs(one: Cell, other: Cell): boolean {
  return one !== 'unknown' && other !== 'unknown' && one !== other;
}

export type Look = 'byte' | 'zero' | 'denied' | 'unmapped' | 'device' | 'unknown';

/** Text that looks alike throughout. */
export interface Run {
  text: string;
  look: Look;
  changed: boolean;
  differs: boolean;
  selected: boolean;
  /** Of its first byte. */
  address: bigint;
}

export interface Marks {
  selection: Selection | undefined;
  /** What stood there at the former stop. */
  former: Read | undefined;
  /** What the other VTL sees. */
  other: Read | undefined;
}

function look_of(cells: readonly Cell[]): Look {
  const sign = cells.find((cell) => typeof cell !== 'number');
  if (sign !== undefined) return sign as Look;
  return cells.every((cell) => cell === 0) ? 'zero' : 'byte';
}

function unit_text(cells: readonly Cell[]): string {
  const sign = cells.find((cell): cell is Exclude<Cell, number> => typeof cell !== 'number');
  if (sign !== undefined) return sign_of(sign).repeat(cells.length);
  return [...cells].reverse().map(cell_text).join('');
}

function marked(addresses: readonly bigint[], read: Read | undefined, marks: Marks): Omit<Run, 'text' | 'look'> {
  const selected = marks.selection && bounds(marks.selection);
  const against = (other: Read | undefined) => other !== undefined && addresses.some((each) => differs(cell_at(read, each), cell_at(other, each)));
  return {
    changed: against(marks.former),
    differs: against(marks.other),
    selected: selected !== undefined && addresses.some((each) => each >= selected.first && each <= selected.last),
    address: addresses[0]!,
  };
}

function alike(one: Run, other: Omit<Run, 'text'>): boolean {
  return one.look === other.look && one.changed === other.changed && one.differs === other.differs && one.selected === other.selected;
}

/** The hexadecimal column of a row: units are separated by one space, little-endian within. */
export function hex_runs(row: bigint, width: Width, unit: Unit, read: Read | undefined, marks: Marks): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < width; at += unit) {
    const addresses = Array.from({ length: unit }, (_, i) => row + BigInt(at + i));
    const cells = addresses.map((each) => cell_at(read, each));
    push(runs, unit_text(cells), { look: look_of(cells), ...marked(addresses, read, marks) }, ' ');
  }
  return runs;
}

export function text_runs(row: bigint, width: Width, read: Read | undefined, marks: Marks): Run[] {
  const runs: Run[] = [];
  for (let at = 0; at < width; ++at) {
    const address = row + BigInt(at);
    const cell = cell_at(read, address);
    push(runs, character(cell), { look: look_of([cell]), ...marked([address], read, marks) }, '');
  }
  return runs;
}

/** The space belongs to the run before it, unless that ends: then to nobody who is marked. */
function push(runs: Run[], text: string, looks: Omit<Run, 'text'>, space: string): void {
  const last = runs.at(-1);
  if (last !== undefined && alike(last, looks)) last.text += space + text;
  else {
    if (last !== undefined && space !== '') runs.push({ ...plain_space(last), text: space });
    runs.push({ ...looks, text });
  }
}
function plain_space(last: Run): Omit<Run, 'text'> {
  return { look: 'zero', changed: false, differs: false, selected: false, address: last.address };
}

/** Characters that the hexadecimal column is wide. */
export function hex_columns(width: Width, unit: Unit): number {
  return (width / unit) * (2 * unit + 1) - 1;
}

/** Characters of a whole row: the address, then per world its bytes and, if wanted, their text. */
export const address_columns = 18;
export function row_columns(width: Width, unit: Unit, text: boolean, worlds: number): number {
  return address_columns + worlds * (hex_columns(width, unit) + 2 + (text ? width + 2 : 0));
}

/** The widest rows of which nothing is cut off. */
export function fitting_width(columns: number, unit: Unit, text: boolean, worlds: number): Width {
  return [...widths].reverse().find((width) => width > 8 && row_columns(width, unit, text, worlds) <= columns) ?? 8;
}

/** The byte of a row under column `column` of the hexadecimal text; the space behind a unit belongs to it. */
export function byte_at_column(column: number, width: Width, unit: Unit): number {
  const within = 2 * unit + 1;
  const index = Math.min(Math.max(0, Math.floor(column / within)), width / unit - 1);
  const digit = Math.min(Math.max(0, column - index * within), 2 * unit - 1);
  return index * unit + (unit - 1 - Math.floor(digit / 2));
}

// --- what people type

/** For search: "text", u"text" in UTF-16, or hexadecimal bytes. undefined: none of them, or longer than 256 bytes. */
export function parse_pattern(text: string): string | undefined {
  const quoted = /^(u?)"(.+)"$/s.exec(text.trim());
  const digits = quoted ? hex_of(quoted[1] === 'u' ? utf16(quoted[2]!) : [...new TextEncoder().encode(quoted[2])]) : parse_bytes(text);
  return digits !== undefined && digits.length > 0 && digits.length <= 512 ? digits : undefined;
}

/** "48 8b 05", "488b05": undefined where it is no whole number of bytes. */
export function parse_bytes(text: string): string | undefined {
  const plain = text.replace(/[\s,]/g, '').toLowerCase();
  return plain !== '' && /^([0-9a-f]{2})+$/.test(plain) ? plain : undefined;
}

function utf16(text: string): number[] {
  return Array.from(text, (letter) => [...letter].flatMap((half) => units_of(half))).flat();
}
function units_of(letter: string): number[] {
  return Array.from({ length: letter.length }, (_, i) => [letter.charCodeAt(i) & 0xff, letter.charCodeAt(i) >> 8]).flat();
}
function hex_of(bytes: readonly number[]): string {
  return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** A number of so many bytes at an address, little-endian; undefined where one of them cannot be read. */
export function number_at(read: Read | undefined, address: bigint, bytes: number): bigint | undefined {
  let value = 0n;
  for (let i = bytes - 1; i >= 0; --i) {
    const cell = cell_at(read, moved(address, i));
    if (typeof cell !== 'number') return undefined;
    value = (value << 8n) | BigInt(cell);
  }
  return value;
}
