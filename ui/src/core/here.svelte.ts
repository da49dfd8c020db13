// The instruction that the focus' frame stands at: of the innermost frame the one that is about to execute.
import type { Focus, Place } from '../rpc/interface';
import type { Session } from './session.svelte';
import { view } from './view.svelte';

export interface Here {
  /** undefined: not known yet, or the stack has no such frame any more. */
  readonly place: Place | undefined;
  /** Of the frame: an outer one may be of the other VTL. */
  readonly vtl: number;
  /** Not the innermost frame. */
  readonly outer: boolean;
}

/** From where everything of the focus' VTL is seen: without frame and address. */
export function eye(focus: Focus, vtl = focus.vtl): Focus {
  return { at: focus.at, vp: focus.vp, vtl };
}

/** To be called while a component is initialised. */
export function here(session: () => Session): Here {
  const told = $derived(session().stop?.focus === session().focus ? session().stop!.place : undefined);
  const index = $derived(session().focus.frame ?? 0);
  const frames = view(session, 'stack', () => (index > 0 ? { focus: eye(session().focus), maximum: index + 1 } : undefined));
  const lines = view(session, 'disassemble', () =>
    index === 0 && told === undefined ? { focus: eye(session().focus), count: 1 } : undefined,
  );
  const frame = $derived(index > 0 ? frames.value?.frames[index] : undefined);
  const place = $derived(index > 0 ? frame?.pc : (told ?? lines.value?.lines[0]?.place));
  return {
    get place() {
      return place;
    },
    get vtl() {
      return frame?.vtl ?? session().focus.vtl;
    },
    get outer() {
      return index > 0;
    },
  };
}
