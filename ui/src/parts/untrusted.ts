// Text that guests chose (names of images, symbols, processes, what they print): shown so that it cannot pass for other text.
// Letters of scripts that are written from right to left are honest: an element of its own (a cell, <bdi>) keeps them from moving what stands beside them.

/**
 * What is no honest ink: control and format characters (bidirectional overrides, joiners, tags), surrogates without a partner,
 * unassigned and private ones, separators of lines, spaces that are no space, and letters that are drawn as nothing.
 */
const unseen = /[\p{C}\p{Zl}\p{Zp}\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufe00-\ufe0f\u{e0100}-\u{e01ef}]/gu;
/** Marks above and below a letter: from the third on they are there to reach into other lines. */
const heaped = /(\p{M}{2})(\p{M}+)/gu;
const plain = /^[ -~]*$/;

/** Unless told otherwise: no honest name is longer. */
export const longest_shown = 2048;

/** As text for people: what cannot be seen or moves other text about is written as \u{202e}; beyond `longest` it ends with an ellipsis. */
export function visible(text: string, longest = longest_shown): string {
  const shown = text.length > longest ? `${cut(text, longest)}…` : text;
  if (plain.test(shown)) return shown;
  return shown.replace(unseen, escaped).replace(heaped, (_, few: string, many: string) => few + [...many].map(escaped).join(''));
}

/** The same for text of several lines: line feeds stay, and so do tabs. */
export function visible_lines(text: string, longest = 16 * longest_shown): string {
  const shown = text.length > longest ? `${cut(text, longest)}…` : text;
  return shown
    .split(/\r?\n/)
    .map((line) => line.split('\t').map((part) => visible(part, longest)).join('\t'))
    .join('\n');
}

/** Not between the halves of a pair of surrogates. */
function cut(text: string, length: number): string {
  const last = text.charCodeAt(length - 1);
  return text.slice(0, last >= 0xd800 && last <= 0xdbff ? length - 1 : length);
}

function escaped(character: string): string {
  return `\\u{${character.codePointAt(0)!.toString(16)}}`;
}
