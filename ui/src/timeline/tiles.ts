// What events.summary said, as a pyramid: level n has buckets of 2^n units, 256 to a tile, at fixed places. Moving and zooming ask
// for tiles that were never asked for, and draw others, coarser or finer, until they are there.
import type { Bucket } from '../rpc/interface';
import { length_of, type Span } from './axis';

export const tile_buckets = 256;
/** Buckets that one request may ask for (methods.def). */
const most_buckets = 4096;

export interface Tile {
  level: number;
  index: number;
  /** Units of a bucket. */
  size: number;
  /** Of each bucket, and the end of the last: instants, and events before it. */
  at: Float64Array;
  rows: Float64Array;
  /** By bucket, then by kind. */
  counts: Uint32Array;
  /** By bucket, then VTL 0, 1, 2 of each processor: instants. */
  lanes: Float64Array;
  kinds: number;
  columns: number;
  /** The end of what was known when it was asked for, in units; -1: not all of that was counted. */
  until: number;
}

/** Buckets in sight, without gaps between known ones, by ascending units. */
export interface Cells {
  length: number;
  /** Units where a cell is drawn: a part of a coarser bucket where that stands in for finer ones. */
  from: Float64Array;
  to: Float64Array;
  tile: Tile[];
  bucket: Int32Array;
  /** All of them are as fine as they should be. */
  sharp: boolean;
}

/** Consecutive tiles that one request brings. */
export interface Missing {
  level: number;
  first: number;
  count: number;
  /** What the request says. */
  from: number;
  to: number;
  buckets: number;
}

/** A bucket is between one and two pixels wide, or a single unit. */
export function level_for(span: Span, width: number): number {
  return Math.max(0, Math.ceil(Math.log2(length_of(span) / Math.max(1, width)) - 1e-9));
}

export function bucket_size(level: number): number {
  return 2 ** level;
}

export class Tiles {
  /** Kinds of events, as the last answer named them. */
  kinds: readonly string[] = [];
  readonly #most: number;
  #tiles = new Map<string, Tile>(); // the one used last at the end

  constructor(most = 320) {
    this.#most = most;
  }

  get size(): number {
    return this.#tiles.size;
  }

  clear(): void {
    this.#tiles.clear();
  }

  /** The first stretch of `span` that is not known as finely as `level`, or was asked for when less was known. */
  missing(span: Span, level: number, whole: Span): Missing | undefined {
    const size = bucket_size(level) * tile_buckets;
    const last = Math.ceil(Math.min(span.to, whole.to) / size) - 1;
    let first = Math.max(0, Math.floor(span.from / size));
    while (first <= last && this.#fresh(level, first, whole)) ++first;
    if (first > last) return undefined;
    let count = 1;
    while (first + count <= last && (count + 1) * tile_buckets <= most_buckets / 2 && !this.#fresh(level, first + count, whole)) ++count;
    return { level, first, count, from: first * size, to: (first + count) * size, buckets: count * tile_buckets };
  }

  /** An answer to what `missing` said. One of another shape is none; one that is not complete will be asked for again. */
  put(missing: Missing, kinds: readonly string[], buckets: readonly Bucket[], whole: Span, complete: boolean): boolean {
    if (buckets.length !== missing.buckets) return false;
    this.kinds = kinds;
    for (let i = 0; i < missing.count; ++i) {
      const part = buckets.slice(i * tile_buckets, (i + 1) * tile_buckets);
      this.#keep(tile_of(missing.level, missing.first + i, part, kinds.length, complete ? whole.to : -1));
    }
    return true;
  }

  cells(span: Span, level: number, whole: Span): Cells {
    const cells = new CellList();
    const size = bucket_size(level) * tile_buckets;
    const end = Math.min(span.to, whole.to);
    for (let index = Math.max(0, Math.floor(span.from / size)); index * size < end; ++index)
      this.#add(cells, level, index, { from: Math.max(span.from, index * size), to: Math.min(end, (index + 1) * size) });
    return cells.done();
  }

  #add(cells: CellList, level: number, index: number, part: Span): void {
    const tile = this.#use(level, index);
    if (tile !== undefined) return cells.add(tile, part, true);
    if (this.#add_finer(cells, level, index, part)) return;
    for (let up = 1; up <= 52 - level; ++up) {
      const coarse = this.#use(level + up, Math.floor(index / 2 ** up));
      if (coarse !== undefined) return cells.add(coarse, part, false);
    }
    cells.miss();
  }

  /** Both halves of a tile: what was drawn before the last step outwards. */
  #add_finer(cells: CellList, level: number, index: number, part: Span): boolean {
    if (level === 0) return false;
    const halves = [this.#use(level - 1, 2 * index), this.#use(level - 1, 2 * index + 1)];
    const middle = (2 * index + 1) * bucket_size(level - 1) * tile_buckets;
    if (halves[0] === undefined || (halves[1] === undefined && part.to > middle)) return false;
    cells.add(halves[0], { from: part.from, to: Math.min(part.to, middle) }, false);
    if (halves[1] !== undefined) cells.add(halves[1], { from: Math.max(part.from, middle), to: part.to }, false);
    return true;
  }

  #use(level: number, index: number): Tile | undefined {
    const key = `${level}/${index}`;
    const tile = this.#tiles.get(key);
    if (tile === undefined) return undefined;
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    return tile;
  }

  #fresh(level: number, index: number, whole: Span): boolean {
    const tile = this.#tiles.get(`${level}/${index}`);
    return tile !== undefined && tile.until >= Math.min(whole.to, (index + 1) * tile.size * tile_buckets);
  }

  #keep(tile: Tile): void {
    const key = `${tile.level}/${tile.index}`;
    this.#tiles.delete(key);
    this.#tiles.set(key, tile);
    for (const oldest of this.#tiles.keys()) {
      if (this.#tiles.size <= this.#most) return;
      this.#tiles.delete(oldest);
    }
  }
}

class CellList {
  #from: number[] = [];
  #to: number[] = [];
  #tile: Tile[] = [];
  #bucket: number[] = [];
  #sharp = true;

  add(tile: Tile, part: Span, sharp: boolean): void {
    const start = tile.index * tile_buckets * tile.size;
    const first = Math.max(0, Math.floor((part.from - start) / tile.size));
    const last = Math.min(tile_buckets, Math.ceil((part.to - start) / tile.size));
    // A coarser bucket is cut at the edges of what it stands in for; sharp ones are drawn whole.
    for (let i = first; i < last; ++i) {
      const from = start + i * tile.size;
      this.#from.push(sharp ? from : Math.max(from, part.from));
      this.#to.push(sharp ? from + tile.size : Math.min(from + tile.size, part.to));
      this.#tile.push(tile);
      this.#bucket.push(i);
    }
    this.#sharp &&= sharp;
  }

  miss(): void {
    this.#sharp = false;
  }

  done(): Cells {
    return {
      length: this.#tile.length,
      from: Float64Array.from(this.#from),
      to: Float64Array.from(this.#to),
      tile: this.#tile,
      bucket: Int32Array.from(this.#bucket),
      sharp: this.#sharp,
    };
  }
}

function tile_of(level: number, index: number, buckets: readonly Bucket[], kinds: number, until: number): Tile {
  const columns = Math.max(3, ...buckets.map((bucket) => bucket.lanes?.length ?? 0));
  const tile: Tile = {
    level,
    index,
    size: bucket_size(level),
    at: new Float64Array(tile_buckets + 1),
    rows: new Float64Array(tile_buckets + 1),
    counts: new Uint32Array(tile_buckets * kinds),
    lanes: new Float64Array(tile_buckets * columns),
    kinds,
    columns,
    until,
  };
  buckets.forEach((bucket, i) => {
    tile.at[i] = bucket.from;
    tile.rows[i] = bucket.row;
    tile.counts.set(bucket.counts.slice(0, kinds), i * kinds);
    tile.lanes.set(bucket.lanes, i * columns);
  });
  const last = buckets[buckets.length - 1]!;
  tile.at[tile_buckets] = last.to;
  tile.rows[tile_buckets] = last.row + last.counts.reduce((sum, each) => sum + each, 0);
  return tile;
}

/** Instants that `vtl` of `vp` ran in a bucket, and that all its VTLs did. */
export function vtl_share(tile: Tile, bucket: number, vp: number, vtl: number): { ran: number; all: number } {
  const base = bucket * tile.columns + 3 * vp;
  if (3 * vp + 2 >= tile.columns) return { ran: 0, all: 0 };
  const all = tile.lanes[base]! + tile.lanes[base + 1]! + tile.lanes[base + 2]!;
  return { ran: tile.lanes[base + vtl]!, all };
}

/** Events of these kinds (by number) in a bucket. */
export function count_of(tile: Tile, bucket: number, kinds: readonly number[]): number {
  let sum = 0;
  for (const kind of kinds) if (kind >= 0 && kind < tile.kinds) sum += tile.counts[bucket * tile.kinds + kind]!;
  return sum;
}
