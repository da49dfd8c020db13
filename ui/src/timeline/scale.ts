// Between pixels, units and instants, by the cells in sight.
import { length_of, unit_of, x_of, type Axis, type Span } from './axis';
import type { Cells } from './tiles';

export class Scale {
  constructor(
    readonly axis: Axis,
    readonly span: Span,
    readonly width: number,
    readonly cells: Cells,
  ) {}

  x(unit: number): number {
    return x_of(unit, this.span, this.width);
  }

  unit(x: number): number {
    return unit_of(x, this.span, this.width);
  }

  get pixels_per_unit(): number {
    return this.width / length_of(this.span);
  }

  /** The cell that holds `unit`, or -1. */
  cell(unit: number): number {
    const { cells } = this;
    const i = last_at_or_before(cells.from, cells.length, unit);
    return i >= 0 && unit < cells.to[i]! ? i : -1;
  }

  /** Instants of a cell's bucket. */
  instants(cell: number): Span {
    const tile = this.cells.tile[cell]!;
    const bucket = this.cells.bucket[cell]!;
    return { from: tile.at[bucket]!, to: tile.at[bucket + 1]! };
  }

  /** undefined: nothing is known there yet. */
  instant(unit: number): number | undefined {
    if (this.axis === 'time') return Math.floor(unit);
    const cell = this.cell(unit);
    if (cell < 0) return undefined;
    const { from, to } = this.instants(cell);
    const { start, size } = this.#bucket(cell);
    return Math.floor(from + ((unit - start) / size) * (to - from));
  }

  /** Where an instant stands: of several events at one instant, at the first. undefined: it is not in sight. */
  unit_at(instant: number): number | undefined {
    if (this.axis === 'time') return instant;
    const { cells } = this;
    if (cells.length === 0) return undefined;
    if (instant < this.instants(0).from) return cells.from[0] === 0 ? 0 : undefined; // before the first event: at it
    let low = 0;
    let high = cells.length; // the first cell that begins at or after the instant
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.instants(middle).from < instant) low = middle + 1;
      else high = middle;
    }
    if (low < cells.length && this.instants(low).from === instant) return this.#bucket(low).start;
    const cell = low - 1;
    const { from, to } = this.instants(cell);
    if (instant > to) return undefined;
    const { start, size } = this.#bucket(cell);
    return to > from ? start + ((instant - from) / (to - from)) * size : start;
  }

  x_at(instant: number): number | undefined {
    const unit = this.unit_at(instant);
    return unit === undefined ? undefined : this.x(unit);
  }

  /** Of one instant, at a place: how far apart instants are drawn. */
  pixels_per_instant(unit: number): number {
    if (this.axis === 'time') return this.pixels_per_unit;
    const cell = this.cell(unit);
    if (cell < 0) return 0;
    const { from, to } = this.instants(cell);
    return to > from ? (this.#bucket(cell).size / (to - from)) * this.pixels_per_unit : 0;
  }

  /** Instants of a unit at a place. */
  gap(unit: number): number {
    if (this.axis === 'time') return 1;
    const cell = this.cell(unit);
    if (cell < 0) return 1;
    const { from, to } = this.instants(cell);
    return (to - from) / this.#bucket(cell).size;
  }

  /** Rows of events in sight: [from, to). */
  rows(): Span {
    const { cells } = this;
    if (cells.length === 0) return { from: 0, to: 0 };
    const last = cells.length - 1;
    return { from: cells.tile[0]!.rows[cells.bucket[0]!]!, to: cells.tile[last]!.rows[cells.bucket[last]! + 1]! };
  }

  /** Instants in sight; undefined while nothing is known. */
  instants_in_sight(): Span | undefined {
    if (this.axis === 'time') return { from: Math.floor(this.span.from), to: Math.ceil(this.span.to) };
    if (this.cells.length === 0) return undefined;
    const from = this.instant(Math.max(this.span.from, this.cells.from[0]!));
    const last = this.cells.length - 1;
    const to = this.instant(Math.min(this.span.to, this.cells.to[last]!)) ?? this.instants(last).to;
    return { from: from ?? this.instants(0).from, to };
  }

  #bucket(cell: number): { start: number; size: number } {
    const tile = this.cells.tile[cell]!;
    return { start: (tile.index * 256 + this.cells.bucket[cell]!) * tile.size, size: tile.size };
  }
}

/** Of ascending values; -1: none. */
function last_at_or_before(values: Float64Array, length: number, wanted: number): number {
  let low = 0;
  let high = length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle]! <= wanted) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}
