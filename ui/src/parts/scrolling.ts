// Where a list of any length stands. Browsers limit the height of an element: beyond that the bar is scaled, and only the wheel
// and the keys move by single rows.
import { spacer_height } from './window';

export interface Extent {
  rows: number;
  row_height: number;
  /** Pixels of the list that are in sight. */
  view: number;
}

export class Scrolling {
  /** Pixels of the whole list above what is in sight: up to 2e9 for 10^8 rows, never scaled. */
  top = 0;
  #extent: Extent = { rows: 0, row_height: 1, view: 0 };
  /** Where we put the bar: a scroll event that says this is the echo of our own doing. */
  #bar = 0;

  get most(): number {
    return Math.max(0, this.#extent.rows * this.#extent.row_height - this.#extent.view);
  }

  /** Pixels of the list for one pixel of the bar. */
  get scale(): number {
    const { rows, row_height, view } = this.#extent;
    const shown = spacer_height(rows, row_height) - view;
    return this.most > shown && shown > 0 ? this.most / shown : 1;
  }

  /** Where the bar belongs. */
  get bar(): number {
    return this.top / this.scale;
  }

  /** The rows stay where they are, unless there are no longer so many. */
  resize(extent: Extent): void {
    this.#extent = extent;
    this.top = Math.min(this.top, this.most);
  }

  /** The bar was moved, or it reports what we set: browsers round that to pixels of the device. True: the list moved. */
  moved(bar: number): boolean {
    if (Math.abs(bar - this.#bar) <= 1) return false;
    this.#bar = bar;
    return this.#put(bar * this.scale);
  }

  /** To be called with what the bar is set to. */
  set_bar(bar: number): void {
    this.#bar = bar;
  }

  /** By pixels of the list. */
  by(pixels: number): boolean {
    return this.#put(this.top + pixels);
  }

  /** Moves as little as possible; `centre`: to the middle, unless the row is well in sight already. */
  bring(row: number, centre = false): boolean {
    const { row_height, view } = this.#extent;
    const y = row * row_height;
    const margin = centre ? Math.min(3 * row_height, Math.max(0, (view - row_height) / 2)) : 0;
    if (y - margin >= this.top && y + row_height + margin <= this.top + view) return false;
    if (centre) return this.#put(y - (view - row_height) / 2);
    return this.#put(y < this.top ? y : y + row_height - view);
  }

  shows(row: number): boolean {
    const { row_height, view } = this.#extent;
    return row >= 0 && (row + 1) * row_height > this.top && row * row_height < this.top + view;
  }

  /** Rows to draw: `offset` is where the first begins, in pixels from the top of what is in sight; at most 0. */
  drawn(): { first: number; count: number; offset: number } {
    const { rows, row_height, view } = this.#extent;
    if (rows <= 0 || view <= 0) return { first: 0, count: 0, offset: 0 };
    const first = Math.min(Math.floor(this.top / row_height), rows - 1);
    return { first, count: Math.min(rows - first, Math.ceil(view / row_height) + 1), offset: first * row_height - this.top };
  }

  #put(top: number): boolean {
    const before = this.top;
    this.top = Math.min(Math.max(0, top), this.most);
    return this.top !== before;
  }
}
