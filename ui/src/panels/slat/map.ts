// The map of the second stage as arithmetic: rights of pages become classes, pages become cells, cells have places.

/** Bits of slat.map's bytes. */
const bits = { read: 1, write: 2, kernel_execute: 4, user_execute: 8, mapped: 0x10 } as const;

export type Layer = 'vtl0' | 'vtl1' | 'difference';

/** How a cell is filled, besides its colour: nobody has to tell colours apart. */
export type Pattern = 'empty' | 'solid' | 'hatch' | 'back_hatch' | 'dots' | 'rows' | 'columns' | 'cross';

export interface Kind {
  id: string;
  /** In the legend, and for who reads it aloud. */
  text: string;
  /** A custom property of the page's theme. */
  colour: string;
  pattern: Pattern;
}

export const rights_kinds: readonly Kind[] = [
  { id: 'absent', text: 'not mapped', colour: '--line', pattern: 'empty' },
  { id: 'none', text: 'no rights', colour: '--bad', pattern: 'hatch' },
  { id: 'r', text: 'read', colour: '--warn', pattern: 'dots' },
  { id: 'rx', text: 'read, execute', colour: '--good', pattern: 'rows' },
  { id: 'rwu', text: 'read, write, user execute', colour: '--accent', pattern: 'columns' },
  { id: 'rw', text: 'read, write', colour: '--dim', pattern: 'back_hatch' },
  { id: 'all', text: 'everything', colour: '--hypervisor', pattern: 'solid' },
  { id: 'other', text: 'other rights', colour: '--text', pattern: 'cross' },
  { id: 'mixed', text: 'pages that differ', colour: '--dim', pattern: 'cross' },
];
export const difference_kinds: readonly Kind[] = [
  { id: 'absent', text: 'not mapped in either', colour: '--line', pattern: 'empty' },
  { id: 'same', text: 'the same rights', colour: '--dim', pattern: 'dots' },
  { id: 'only1', text: 'VTL 1 only: VTL 0 has no rights', colour: '--vtl1', pattern: 'hatch' },
  { id: 'less0', text: 'VTL 0 may less than VTL 1', colour: '--vtl0', pattern: 'columns' },
  { id: 'less1', text: 'VTL 1 may less than VTL 0', colour: '--bad', pattern: 'rows' },
  { id: 'either', text: 'each may what the other may not', colour: '--hypervisor', pattern: 'solid' },
  { id: 'mixed', text: 'pages that differ', colour: '--text', pattern: 'cross' },
];

export function kinds_of(layer: Layer): readonly Kind[] {
  return layer === 'difference' ? difference_kinds : rights_kinds;
}

/** The kind of a page by its rights, as an index of rights_kinds. */
export function rights_kind(byte: number): number {
  return rights_kinds.findIndex((kind) => kind.id === rights_id(byte));
}
function rights_id(byte: number): string {
  if ((byte & bits.mapped) === 0) return 'absent';
  const rights = byte & 0xf;
  if (rights === 0) return 'none';
  if (rights === bits.read) return 'r';
  if (rights === (bits.read | bits.write)) return 'rw';
  if (rights === 0xf) return 'all';
  if (rights === (bits.read | bits.write | bits.user_execute)) return 'rwu';
  return (rights & bits.read) !== 0 && (rights & bits.write) === 0 ? 'rx' : 'other';
}

export function difference_kind(of0: number, of1: number): number {
  return difference_kinds.findIndex((kind) => kind.id === difference_id(of0, of1));
}
function difference_id(of0: number, of1: number): string {
  if (((of0 | of1) & bits.mapped) === 0) return 'absent';
  const [rights0, rights1] = [of0 & 0xf, of1 & 0xf];
  if (rights0 === rights1) return 'same';
  const [missing0, missing1] = [rights1 & ~rights0, rights0 & ~rights1];
  if (missing0 !== 0 && missing1 !== 0) return 'either';
  if (missing0 !== 0) return rights0 === 0 ? 'only1' : 'less0';
  return 'less1';
}

const rights_table = Array.from({ length: 32 }, (_, byte) => rights_kind(byte));
const difference_table = Array.from({ length: 1024 }, (_, pair) => difference_kind(pair >> 5, pair & 31));

/** "rw kx ux", as rights_text() has it. */
export function byte_text(byte: number): string {
  if ((byte & bits.mapped) === 0) return 'not mapped';
  const has = (bit: number, letter: string) => ((byte & bit) !== 0 ? letter : '-'.repeat(letter.length));
  return `${has(bits.read, 'r')}${has(bits.write, 'w')} ${has(bits.kernel_execute, 'kx')} ${has(bits.user_execute, 'ux')}`;
}

/** Rights of pages from `first` on, by VTL. */
export interface Maps {
  /** Number of the first page. */
  first: number;
  of0: Uint8Array;
  /** Absent: VTL 1 is not enabled. */
  of1: Uint8Array | undefined;
}

export function kind_of_page(maps: Maps, layer: Layer, page: number): number | undefined {
  const at = page - maps.first;
  const of0 = maps.of0[at];
  const of1 = maps.of1?.[at];
  if (layer === 'vtl0') return of0 === undefined ? undefined : rights_table[of0 & 31];
  if (layer === 'vtl1') return of1 === undefined ? undefined : rights_table[of1 & 31];
  return of0 === undefined || of1 === undefined ? undefined : difference_table[((of0 & 31) << 5) | (of1 & 31)];
}

/** How many pages are of each kind. */
export function counts(maps: Maps, layer: Layer): number[] {
  const numbers = new Array<number>(kinds_of(layer).length).fill(0);
  for (let i = 0; i < maps.of0.length; ++i) {
    const kind = kind_of_page(maps, layer, maps.first + i);
    if (kind !== undefined) numbers[kind]! += 1;
  }
  return numbers;
}

/** The kind of `pages` pages together: that of all, or "pages that differ"; undefined where nothing is known. */
export function kind_of_cell(maps: Maps, layer: Layer, first: number, pages: number): number | undefined {
  const kind = kind_of_page(maps, layer, first);
  for (let page = first + 1; page < first + pages; ++page) {
    const other = kind_of_page(maps, layer, page);
    if (other !== undefined && other !== kind) return kinds_of(layer).findIndex((each) => each.id === 'mixed');
  }
  return kind;
}

/** Rights that are not what they were; pages that only one of the maps knows do not count. */
export function changed_in_cell(now: Maps, before: Maps | undefined, first: number, pages: number): boolean {
  if (before === undefined) return false;
  for (let page = first; page < first + pages; ++page) {
    const [a, b] = [page - now.first, page - before.first];
    if (differs(now.of0[a], before.of0[b]) || differs(now.of1?.[a], before.of1?.[b])) return true;
  }
  return false;
}
function differs(one: number | undefined, other: number | undefined): boolean {
  return one !== undefined && other !== undefined && one !== other;
}

// --- places

/** Cells are squares of at least so many pixels, with one pixel between them; where there is room they grow. */
export const cell_size = 9;
const largest_size = 24;

export interface Geometry {
  columns: number;
  rows: number;
  /** Pages of a cell: a power of two. */
  pages: number;
  /** Number of the first page that is shown. */
  first: number;
  /** Pixels from cell to cell. */
  size: number;
}

export const largest_cell = 1024;
/** Pages that are asked for at once, at most. */
export const most_pages = 1 << 18;

/** The smallest cells that show all pages, or at most what may be asked for. */
export function fitting(total: number, width: number, height: number): number {
  const cells = Math.max(1, Math.floor(width / cell_size)) * Math.max(1, Math.floor(height / cell_size));
  let pages = 1;
  while (pages * cells < total && pages < largest_cell && 2 * pages * cells <= most_pages) pages *= 2;
  return pages;
}

/** With `cursor` in sight, and the first page as near to `first` as that leaves it. */
export function arranged(total: number, width: number, height: number, pages: number, first: number, cursor: number): Geometry {
  const across = (pixels: number) => Math.max(1, Math.floor(width / pixels));
  const down = (pixels: number) => Math.max(1, Math.floor(height / pixels));
  let size = cell_size;
  while (size < largest_size && across(size + 1) * down(size + 1) * pages >= total) ++size;
  const [columns, rows] = [across(size), down(size)];
  const row = columns * pages;
  const last_first = Math.max(0, (Math.ceil(total / row) - rows) * row);
  let top = Math.min(Math.max(0, first - (first % row)), last_first);
  const of_cursor = cursor - (cursor % row);
  if (of_cursor < top) top = of_cursor;
  if (of_cursor >= top + rows * row) top = of_cursor - (rows - 1) * row;
  return { columns, rows, pages, first: top, size };
}

/** Pages in sight: what is to be asked for. */
export function in_sight(geometry: Geometry, total: number): { first: number; pages: number } {
  const { first, columns, rows, pages } = geometry;
  return { first, pages: Math.max(1, Math.min(total - first, columns * rows * pages, most_pages)) };
}

/** The first page of the cell under a point. */
export function page_at(geometry: Geometry, total: number, x: number, y: number): number | undefined {
  const [column, row] = [Math.floor(x / geometry.size), Math.floor(y / geometry.size)];
  if (column < 0 || row < 0 || column >= geometry.columns || row >= geometry.rows) return undefined;
  const page = geometry.first + (row * geometry.columns + column) * geometry.pages;
  return page < total ? page : undefined;
}

/** Where the cell of a page is, in pixels. */
export function place_of(geometry: Geometry, page: number): { x: number; y: number } {
  const cell = Math.floor((page - geometry.first) / geometry.pages);
  return { x: (cell % geometry.columns) * geometry.size, y: Math.floor(cell / geometry.columns) * geometry.size };
}

/** Where a key leads from a page; undefined: it is none of the map's keys. */
export function moved_by(key: string, page: number, geometry: Geometry, total: number): number | undefined {
  const { columns, rows, pages } = geometry;
  const row = columns * pages;
  const steps: Record<string, number> = { ArrowRight: pages, ArrowLeft: -pages, ArrowDown: row, ArrowUp: -row, PageDown: row * rows, PageUp: -row * rows, Home: -total, End: total };
  const step = steps[key];
  if (step === undefined) return undefined;
  const to = Math.min(Math.max(0, page + step), total - 1);
  return to - (to % pages);
}
