// What was executed just before the focus and what is executed next, by address.
import type { Methods } from '../../rpc/interface';

type Trail = Methods['trail']['result'];

export interface Mark {
  /** Instructions ago, the last time; 1: the one before the focus. */
  past?: number;
  /** Instructions ahead, the first time; 1: after the one that the focus is about to execute. */
  future?: number;
  /** Times in all that is known of before and after. */
  times: number;
}

/** Only of `vtl`: the same address is other code in the other. */
export function trail_marks(trail: Trail | undefined, vtl: number): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  if (trail === undefined) return marks;
  const mark = (address: string) => {
    let found = marks.get(address);
    if (found === undefined) marks.set(address, (found = { times: 0 }));
    found.times += 1;
    return found;
  };
  trail.past.forEach((step, index) => {
    if (step.vtl === vtl) mark(step.address).past = trail.past.length - index;
  });
  trail.future.forEach((step, index) => {
    if (step.vtl !== vtl) return;
    const found = mark(step.address);
    if (index > 0) found.future ??= index;
  });
  return marks;
}

/** The sign in the column: −3 was executed three instructions ago, +2 will be in two. */
export const past_sign = (mark: Mark | undefined) => (mark?.past === undefined ? '' : `−${mark.past}`);
export const future_sign = (mark: Mark | undefined) => (mark?.future === undefined ? '' : `+${mark.future}`);

/** For tooltips and screen readers; empty where there is nothing to say. */
export function mark_text(mark: Mark | undefined): string {
  if (mark === undefined) return '';
  const said: string[] = [];
  if (mark.past !== undefined) said.push(`executed ${instructions(mark.past)} ago`);
  if (mark.future !== undefined) said.push(`executed ${instructions(mark.future)} ahead`);
  if (mark.times > 1) said.push(`${mark.times} times near here`);
  return said.join(', ');
}

function instructions(count: number): string {
  return count === 1 ? '1 instruction' : `${count} instructions`;
}
