// What is asked for around what is in sight, so that a little motion asks for nothing new.
import { length_of, type Span } from './axis';

/** At least `span`, at most three times as long, at places that stay while it moves within. Whole numbers from 0 on. */
export function steady(span: Span): Span {
  const step = 2 ** Math.ceil(Math.log2(Math.max(1, length_of(span)))) / 2;
  const from = Math.max(0, Math.floor(span.from / step) * step);
  const to = Math.ceil(span.to / step) * step;
  return { from: Math.floor(from), to: Math.max(Math.ceil(to), Math.floor(from) + 1) };
}
