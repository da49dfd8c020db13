// Whether a page has just come to where its link leads: then nothing "changed since the former stop".
import type { Session } from '../core/session.svelte';

/** `before` is the instant that was shown until now. A program that was just started stands at the beginning of its run. */
export function was_arrival(session: Session, before: number): boolean {
  return before === (session.status?.beginning ?? 0) && session.stop?.reason === 'place';
}
