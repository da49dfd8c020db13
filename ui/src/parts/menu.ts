// A menu at the pointer, over everything: one at a time.
import { flushSync, mount, unmount } from 'svelte';
import Menu from './Menu.svelte';

export interface MenuEntry {
  label: string;
  /** Shown beside it. */
  keys?: string;
  /** It cannot be done now, and why. */
  why_not?: string | undefined;
  run: () => unknown;
}
export type MenuItem = MenuEntry | 'line';

let shown: ReturnType<typeof mount> | undefined;

export function close_menu(): void {
  if (shown === undefined) return;
  const menu = shown;
  shown = undefined;
  void unmount(menu);
}

/** `label` is for screen readers. The focus goes back to where it was when the menu closes. */
export function show_menu(label: string, items: readonly MenuItem[], at: { x: number; y: number }): void {
  close_menu();
  const before = document.activeElement;
  const onclose = () => {
    close_menu();
    if (before instanceof HTMLElement && before.isConnected) before.focus();
  };
  shown = mount(Menu, { target: document.body, props: { label, items, at, onclose } });
  flushSync();
}

/** Where a menu opens that was asked for by key: below the element. */
export function below(element: Element): { x: number; y: number } {
  const box = element.getBoundingClientRect();
  return { x: box.left, y: box.bottom };
}

export function asks_for_menu(event: KeyboardEvent): boolean {
  return event.key === 'ContextMenu' || (event.key === 'F10' && event.shiftKey && !event.ctrlKey && !event.altKey);
}

/** Inside the window: as far from its edges as it takes. */
export function placed(at: { x: number; y: number }, size: { width: number; height: number }, window: { width: number; height: number }): { x: number; y: number } {
  const margin = 4;
  return {
    x: Math.max(margin, Math.min(at.x, window.width - size.width - margin)),
    y: Math.max(margin, Math.min(at.y, window.height - size.height - margin)),
  };
}
