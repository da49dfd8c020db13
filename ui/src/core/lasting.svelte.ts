// What lasts: a step is over before a word about it could be read, and showing the word would cost the frame that shows the step.

/** What people take for immediate: milliseconds. */
const immediate = 150;

/** `value` once it has been there for a moment; nothing as soon as it is gone. To be called while a component is initialised. */
export function lasting(value: () => string | undefined): () => string | undefined {
  let lasts = $state(false);
  $effect(() => {
    if (value() === undefined) return;
    const timer = setTimeout(() => (lasts = true), immediate);
    return () => {
      clearTimeout(timer);
      lasts = false;
    };
  });
  return () => (lasts ? value() : undefined);
}
