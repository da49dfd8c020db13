// Arrows from jumps to where they lead, for jumps and targets that are both in sight.
import { split_text, type Row } from './rows';

export interface Arrow {
  key: string;
  /** Rows: indices of the list. */
  from: number;
  to: number;
  /** 0 is nearest to the code. */
  lane: number;
  conditional: boolean;
}

/** More lanes than these are drawn over each other. */
export const lanes = 5;

/** True for jumps, not for calls: those come back. */
export function is_jump(text: string): boolean {
  return /^(j[a-z]+|loop[a-z]*|xbegin)$/.test(split_text(text)[0].replace(/^(notrack|bnd) /, ''));
}

/** Of the rows from `first` on, `count` of them. The shortest have the inner lanes. */
export function arrows_of(rows: readonly Row[], first: number, count: number): Arrow[] {
  const end = Math.min(rows.length, first + count);
  const row_at = new Map<string, number>();
  for (let index = first; index < end; ++index) {
    const row = rows[index]!;
    if (row.kind === 'code') row_at.set(row.line.place.address, index);
  }
  const found: Arrow[] = [];
  for (const [address, from] of row_at) {
    const row = rows[from]!;
    if (row.kind !== 'code' || row.line.target === undefined || !is_jump(row.line.text)) continue;
    const to = row_at.get(row.line.target.address);
    if (to === undefined || to === from) continue;
    found.push({ key: address, from, to, lane: 0, conditional: !/^(notrack |bnd )?jmp\b/.test(row.line.text) });
  }
  return in_lanes(found);
}

function in_lanes(arrows: Arrow[]): Arrow[] {
  const length = (arrow: Arrow) => Math.abs(arrow.to - arrow.from);
  const taken: [number, number][][] = Array.from({ length: lanes }, () => []);
  arrows.sort((a, b) => length(a) - length(b) || a.from - b.from);
  for (const arrow of arrows) {
    const [top, bottom] = [Math.min(arrow.from, arrow.to), Math.max(arrow.from, arrow.to)];
    const free = taken.findIndex((spans) => spans.every(([from, to]) => bottom < from || top > to));
    arrow.lane = free < 0 ? lanes - 1 : free;
    taken[arrow.lane]!.push([top, bottom]);
  }
  return arrows;
}

/** As an SVG path: from the middle of one row to the middle of the other, around by the left. `width` of the gutter, in pixels. */
export function arrow_path(arrow: Arrow, row_height: number, width: number): string {
  const step = (width - 8) / lanes;
  const x = width - 8 - arrow.lane * step;
  const y = (row: number) => row * row_height + row_height / 2;
  const head = y(arrow.to);
  return `M${width} ${y(arrow.from)}H${x}V${head}H${width - 1}M${width - 5} ${head - 3}L${width - 1} ${head}L${width - 5} ${head + 3}`;
}
