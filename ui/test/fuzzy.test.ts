import { expect, test } from 'vitest';
import { best, score } from '../src/shell/fuzzy';

test('the letters must be there in their order', () => {
  expect(score('stb', 'Step back')).toBeDefined();
  expect(score('bst', 'Step back')).toBeUndefined();
});

test('beginnings of words and runs of letters come first', () => {
  const titles = ['Disassemble to a bookmark', 'Step back', 'To the beginning'];
  expect(best('back', titles, (title) => title, 3)[0]).toBe('Step back');
  expect(best('tb', titles, (title) => title, 3)[0]).toBe('To the beginning');
});

test('nothing wanted shows the first ones', () => {
  expect(best(' ', [1, 2, 3], String, 2)).toEqual([1, 2]);
});
