// What a number is, beside it after a moment: one at a time, gone with Escape.
import { mount, unmount } from 'svelte';
import type { Session } from '../core/session.svelte';
import type { Target } from './address_actions';
import Hover from './Hover.svelte';

/** Milliseconds until it shows. */
export const hover_after = 300;
export const hover_id = 'hover';

let timer: ReturnType<typeof setTimeout> | undefined;
let shown: ReturnType<typeof mount> | undefined;
let anchored: Element | undefined;

/** Shows it when the pointer or the keyboard has been on `anchor` for a moment. */
export function begin_hover(anchor: Element, session: Session, target: () => Target): void {
  end_hover();
  anchored = anchor;
  timer = setTimeout(() => {
    if (!anchor.isConnected) return;
    anchor.setAttribute('aria-describedby', hover_id);
    const props = { id: hover_id, session, target: target(), anchor: anchor.getBoundingClientRect() };
    shown = mount(Hover, { target: document.body, props });
    addEventListener('keydown', escape, true);
    addEventListener('scroll', end_hover, true);
  }, hover_after);
}

export function end_hover(): void {
  clearTimeout(timer);
  anchored?.removeAttribute('aria-describedby');
  anchored = undefined;
  if (shown === undefined) return;
  const hover = shown;
  shown = undefined;
  void unmount(hover);
  removeEventListener('keydown', escape, true);
  removeEventListener('scroll', end_hover, true);
}

function escape(event: KeyboardEvent): void {
  if (event.key === 'Escape') event.stopPropagation();
  end_hover();
}

/** Below the anchor, or above it where there is no room; never over it. */
export function beside(
  anchor: { left: number; top: number; bottom: number },
  size: { width: number; height: number },
  window: { width: number; height: number },
): { x: number; y: number } {
  const gap = 6;
  const x = Math.max(gap, Math.min(anchor.left, window.width - size.width - gap));
  const below = anchor.bottom + gap;
  return { x, y: below + size.height <= window.height ? below : Math.max(0, anchor.top - gap - size.height) };
}
