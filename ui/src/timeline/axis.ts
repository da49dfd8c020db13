// The timeline's axis: which part of a run is in sight, in units of the axis, and how it is zoomed, moved and labelled.
//
// An axis counts instants, or events, each as wide as the others: instants are mostly idle, so that only the latter shows what
// happened. A unit of the axis of events is a row of the list of all events, together with the time until the next one.
import { count } from '../core/text';

export type Axis = 'events' | 'time';

/** [from, to) in units of the axis; fractions of a row are parts of the time until the next event. */
export interface Span {
  from: number;
  to: number;
}

/** Instants that are in sight at the deepest zoom. */
export const fewest_instants = 12;

export function length_of(span: Span): number {
  return span.to - span.from;
}

export function x_of(unit: number, span: Span, width: number): number {
  return ((unit - span.from) / length_of(span)) * width;
}

export function unit_of(x: number, span: Span, width: number): number {
  return span.from + (x / width) * length_of(span);
}

/** Moved and shortened so that it lies in `whole`. */
export function within(span: Span, whole: Span): Span {
  const length = Math.min(length_of(span), length_of(whole));
  const from = Math.min(Math.max(span.from, whole.from), whole.to - length);
  return { from, to: from + length };
}

/**
 * The shortest span that makes sense near `to`: `gap` are the instants of one unit there (1 on the axis of time). A double has no
 * digits for single instants of a long gap far from the beginning: there it ends earlier.
 */
export function narrowest(axis: Axis, gap: number, to: number): number {
  if (axis === 'time') return fewest_instants;
  return Math.max(fewest_instants / Math.max(1, gap), Math.abs(to) * Number.EPSILON * 8192);
}

/** `unit` stays where it is. A factor below 1 shows less. */
export function zoom_about(span: Span, unit: number, factor: number, whole: Span, shortest: number): Span {
  const length = Math.min(Math.max(length_of(span) * factor, Math.min(shortest, length_of(span))), length_of(whole));
  const share = (unit - span.from) / length_of(span);
  const from = unit - share * length;
  return within({ from, to: from + length }, whole);
}

export function move_by(span: Span, units: number, whole: Span): Span {
  return within({ from: span.from + units, to: span.to + units }, whole);
}

/** With `unit` in the middle, as far as the ends of the run permit. */
export function centre(span: Span, unit: number, whole: Span): Span {
  return move_by(span, unit - (span.from + span.to) / 2, whole);
}

export function shows_all(span: Span, whole: Span): boolean {
  return span.from <= whole.from && span.to >= whole.to;
}

/** What a page at the end of a growing run shows next: it stays at the end, or shows all as before. */
export function grown(span: Span, before: Span, after: Span): Span {
  if (shows_all(span, before)) return after;
  return span.to >= before.to ? within({ from: span.from + after.to - before.to, to: after.to }, after) : span;
}

// --- labels

/** 1, 2 or 5 times a power of ten, at least `least`, and a whole number. */
export function round_step(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)));
  for (const factor of [1, 2, 5]) if (factor * power >= least) return factor * power;
  return 10 * power;
}

/** Multiples of a round step in [from, to], at least `apart` pixels from each other. */
export function ticks(from: number, to: number, width: number, apart: number): { step: number; values: number[] } {
  if (!(to > from) || width <= 0) return { step: 1, values: [] };
  const step = round_step(((to - from) * apart) / width);
  const values: number[] = [];
  for (let value = Math.ceil(from / step) * step; value <= to; value += step) values.push(value);
  return { step, values };
}

/** 2.35 G, 12 M, 4,853,409: as short as the step between labels permits. */
export function short_count(value: number, step: number): string {
  for (const [size, letter] of [[1e9, 'G'], [1e6, 'M'], [1e3, 'k']] as const) {
    if (value < size || step <= size / 1000) continue;
    const digits = Math.max(0, Math.ceil(Math.log10(size / step)));
    return `${(value / size).toFixed(Math.min(digits, 3))} ${letter}`;
  }
  return count(value);
}
