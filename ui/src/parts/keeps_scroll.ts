// A box that was taken out of the page and put back (a pane behind another one, a tab that was clicked) shows its top: this puts
// it where it was.
import type { Attachment } from 'svelte/attachments';

const boxes = new Set<() => void>();

/** After panes were moved about. */
export function restore_scroll(): void {
  for (const restore of boxes) restore();
}

export const keeps_scroll: Attachment<HTMLElement> = (box) => {
  let kept = box.scrollTop;
  const remember = () => {
    if (box.clientHeight > 0) kept = box.scrollTop;
  };
  const restore = () => {
    if (box.clientHeight > 0 && box.scrollTop !== kept) box.scrollTop = kept;
  };
  box.addEventListener('scroll', remember);
  boxes.add(restore);
  const observer = new ResizeObserver(restore);
  observer.observe(box);
  return () => {
    box.removeEventListener('scroll', remember);
    boxes.delete(restore);
    observer.disconnect();
  };
};
