// The address of the page: it says where the page looks. Browsers throttle its changes, and each costs milliseconds of a step.

/** Milliseconds without a step before the address says where they led. */
export const written_after = 200;

export class AddressBar {
  #next: string | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Steps replace the last entry of the browser's history, a moment later: its way back leads from jump to jump. */
  show(fragment: string, step: boolean): void {
    clearTimeout(this.#timer);
    if (step) {
      this.#next = fragment;
      this.#timer = setTimeout(() => this.flush(), written_after);
      return;
    }
    this.flush();
    if (fragment !== location.hash) history.pushState(null, '', fragment);
  }

  /** Now, for those who read the address. */
  flush(): void {
    const fragment = this.#next;
    this.drop();
    if (fragment !== undefined && fragment !== location.hash) history.replaceState(null, '', fragment);
  }

  /** Somebody else has written there. */
  drop(): void {
    clearTimeout(this.#timer);
    this.#next = undefined;
  }
}
