// Which rows of a long list are in sight. Browsers limit the height of an element: beyond that, scrolling is scaled.

/** Safe in all browsers: pixels. */
export const maximum_height = 8_000_000;

export interface Rows {
  first: number;
  count: number;
  /** Of the first row, in pixels from the top of the spacer. */
  top: number;
}

export function spacer_height(rows: number, row_height: number): number {
  return Math.min(rows * row_height, maximum_height);
}

function scale(rows: number, row_height: number, view: number): number {
  const full = rows * row_height - view;
  const shown = spacer_height(rows, row_height) - view;
  return full > shown && shown > 0 ? full / shown : 1;
}

/** With some rows more at both ends, so that scrolling by a little shows no gap. */
export function rows_in_sight(rows: number, row_height: number, scroll: number, view: number, more = 6): Rows {
  if (rows <= 0 || view <= 0) return { first: 0, count: 0, top: 0 };
  const y = Math.max(0, scroll) * scale(rows, row_height, view);
  const first = Math.min(Math.max(0, Math.floor(y / row_height) - more), rows);
  const count = Math.min(rows - first, Math.ceil(view / row_height) + 2 * more);
  return { first, count, top: scroll - (y - first * row_height) };
}

/** The scroll position that shows `row`, moving as little as possible; `centre`: in the middle. */
export function scroll_to(row: number, rows: number, row_height: number, scroll: number, view: number, centre = false): number {
  const factor = scale(rows, row_height, view);
  const y = scroll * factor;
  const top = row * row_height;
  const most = Math.max(0, rows * row_height - view);
  if (!centre && top >= y && top + row_height <= y + view) return scroll;
  const wanted = centre ? top - (view - row_height) / 2 : top < y ? top : top + row_height - view;
  return Math.min(Math.max(0, wanted), most) / factor;
}
