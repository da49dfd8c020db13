// Whether somebody sees a pane: those behind the tabs of others ask nothing and draw nothing.
import { getContext, setContext } from 'svelte';

const key = Symbol('visibility');

/** For everything inside this component. `visible` may read state: what depends on it follows. */
export function provide_visibility(visible: () => boolean): void {
  setContext(key, visible);
}

/** To be called while a component is initialised. What is in no pane is always in sight. */
export function use_visibility(): () => boolean {
  return getContext<(() => boolean) | undefined>(key) ?? (() => true);
}
