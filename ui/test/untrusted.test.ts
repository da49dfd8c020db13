import { expect, test } from 'vitest';
import { visible, visible_lines } from '../src/parts/untrusted';

test.each([
  ['override of direction', 'exe.\u202efdp.sys', 'exe.\\u{202e}fdp.sys'],
  ['isolates', '\u2066a\u2069', '\\u{2066}a\\u{2069}'],
  ['marks of direction', 'a\u200eb\u200fc\u061cd', 'a\\u{200e}b\\u{200f}c\\u{61c}d'],
  ['joiners and zero widths', 'nt\u200boskrnl\u200d\ufeff', 'nt\\u{200b}oskrnl\\u{200d}\\u{feff}'],
  ['line ends', 'one\r\ntwo\u2028three', 'one\\u{d}\\u{a}two\\u{2028}three'],
  ['an escape sequence', '\u001b[31mred\u0000\u007f\u009b', '\\u{1b}[31mred\\u{0}\\u{7f}\\u{9b}'],
  ['half a pair', 'a\ud800b\udc00', 'a\\u{d800}b\\u{dc00}'],
  ['tags', 'x\u{e0041}y', 'x\\u{e0041}y'],
  ['private use', '\ue000\u{f0000}', '\\u{e000}\\u{f0000}'],
  ['other spaces', 'a\u00a0b\u3000c\u2003d', 'a\\u{a0}b\\u{3000}c\\u{2003}d'],
  ['letters drawn as nothing', 'a\u3164b\u115f\u2800', 'a\\u{3164}b\\u{115f}\\u{2800}'],
  ['variation selectors', 'a\ufe0f\u{e0101}', 'a\\u{fe0f}\\u{e0101}'],
])('%s cannot hide', (_, text, shown) => {
  expect(visible(text)).toBe(shown);
});

test.each(['ntoskrnl.exe', 'nt!`anonymous namespace\'::f', 'Größe', 'Ελλάς', '日本語', 'ملف.sys', '𝔘nicode 😀', 'C:\\new\\table', '<img src=x onerror=alert(1)>', ''])(
  '%j is shown as it is',
  (text) => expect(visible(text)).toBe(text),
);

test('marks do not heap up over other lines', () => {
  expect(visible('e\u0301\u0323')).toBe('e\u0301\u0323');
  expect(visible('e\u0301\u0301\u0301\u0301')).toBe('e\u0301\u0301\\u{301}\\u{301}');
});

test('what is too long ends with an ellipsis, and no character is cut in two', () => {
  expect(visible('abcdef', 3)).toBe('abc…');
  expect(visible('ab😀', 3)).toBe('ab…');
  expect(visible('x'.repeat(10_000_000)).length).toBeLessThan(3000);
});

test('every character of the basic plane is shown without moving or hiding another', () => {
  const moves = /[\u0000-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ufffe\uffff]/;
  const all = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));
  expect(all.filter((character) => moves.test(visible(`a${character}b`)))).toEqual([]);
});

test('lines and tabs of a longer text stay', () => {
  expect(visible_lines('a\tb\nc\u202e\r\nd\r')).toBe('a\tb\nc\\u{202e}\nd\\u{d}');
});
