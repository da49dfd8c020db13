// What is drawn for a lane: bars of whole pixels, neighbours of one height as one.
import type { Lane } from './lanes';
import type { Scale } from './scale';
import { count_of, vtl_share } from './tiles';

/** From x0 to x1, so many pixels up from the lane's foot. */
export interface Bar {
  x0: number;
  x1: number;
  height: number;
}

/** Events wider than this are drawn as a mark at their beginning, not as a block. */
const widest_mark = 6;

/** The part of the time that a VTL ran: small parts are seen too. */
export function vtl_bars(scale: Scale, lane: Pick<Lane, 'vp' | 'vtl'>, height: number): Bar[] {
  const bars = new BarList(scale.width);
  const { cells } = scale;
  let former = 0; // several events at one instant leave no time between them: as before
  for (let i = 0; i < cells.length; ++i) {
    const { ran, all } = vtl_share(cells.tile[i]!, cells.bucket[i]!, lane.vp!, lane.vtl!);
    const tall = all > 0 ? share_height(ran / all, height) : former;
    former = tall;
    bars.add(scale.x(cells.from[i]!), scale.x(cells.to[i]!), tall);
  }
  return bars.done();
}

export function share_height(share: number, height: number): number {
  if (share <= 0) return 0;
  return share >= 0.995 ? height : Math.max(2, Math.round(height * Math.sqrt(share)));
}

/** Events: their number to a pixel as height, against the most in sight. */
export function count_bars(scale: Scale, kinds: readonly number[], height: number, flat = false): Bar[] {
  const { cells } = scale;
  const bars = new BarList(scale.width);
  const density = new Float64Array(cells.length);
  let most = 0;
  for (let i = 0; i < cells.length; ++i) {
    const tile = cells.tile[i]!;
    const count = count_of(tile, cells.bucket[i]!, kinds);
    density[i] = count === 0 ? 0 : count / Math.max(1, tile.size * scale.pixels_per_unit);
    most = Math.max(most, density[i]!);
  }
  const top = 2 ** Math.ceil(Math.log2(Math.max(most, 1e-12))); // in steps, so that moving a little changes no heights
  for (let i = 0; i < cells.length; ++i) {
    if (density[i] === 0) continue;
    const x0 = scale.x(cells.from[i]!);
    const x1 = scale.x(cells.to[i]!);
    const alone = cells.tile[i]!.size === 1;
    const mark = alone ? Math.min(x1, x0 + widest_mark) : x1;
    bars.add(x0, mark, flat || alone ? height : Math.max(3, Math.round(height * Math.sqrt(density[i]! / top))));
  }
  return bars.done();
}

/** Joins what touches and is as high; whole pixels, at least one wide. */
class BarList {
  readonly #width: number;
  #bars: Bar[] = [];

  constructor(width: number) {
    this.#width = width;
  }

  add(from: number, to: number, height: number): void {
    const x0 = Math.max(0, Math.round(from));
    const x1 = Math.min(this.#width, Math.max(x0 + 1, Math.round(to)));
    if (height <= 0 || x1 <= x0) return;
    const last = this.#bars[this.#bars.length - 1];
    if (last !== undefined && last.x1 >= x0) {
      if (last.height === height) {
        last.x1 = Math.max(last.x1, x1);
        return;
      }
      if (last.x0 === x0 && last.x1 === x1) {
        last.height = Math.max(last.height, height); // several in one pixel: the highest
        return;
      }
    }
    this.#bars.push({ x0, x1, height });
  }

  done(): Bar[] {
    return this.#bars;
  }
}
