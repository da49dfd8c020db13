// Finding a thing by a few of its letters.

/** Higher is better; undefined: `text` does not hold the letters of `pattern` in this order. */
export function score(pattern: string, text: string): number | undefined {
  const wanted = pattern.toLowerCase().replace(/\s+/g, '');
  const letters = text.toLowerCase();
  let from = 0;
  let points = 0;
  let last = -2;
  for (const letter of wanted) {
    const at = letters.indexOf(letter, from);
    if (at < 0) return undefined;
    const begins = at === 0 || /[^a-z0-9]/.test(letters[at - 1]!);
    points += at === last + 1 ? 4 : begins ? 3 : 1;
    last = at;
    from = at + 1;
  }
  return points - letters.length / 100;
}

/** The best first; equal ones keep their order. */
export function best<T>(pattern: string, things: readonly T[], text: (thing: T) => string, maximum: number): T[] {
  if (pattern.trim() === '') return things.slice(0, maximum);
  return things
    .map((thing) => ({ thing, points: score(pattern, text(thing)) }))
    .filter((each): each is { thing: T; points: number } => each.points !== undefined)
    .sort((a, b) => b.points - a.points)
    .slice(0, maximum)
    .map((each) => each.thing);
}
