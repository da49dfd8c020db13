import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';

/** Every `keys: [...]` of a command in the sources, and every list of keys given to a helper that makes commands. */
function keys_in(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return keys_in(path);
    if (!/\.(ts|svelte)$/.test(entry.name)) return [];
    const text = readFileSync(path, 'utf8');
    const lists = [...text.matchAll(/(?:keys: |(?:look|step|run)\('[\w.]+', '[^']*', )\[([^\]]*)\]/g)];
    return lists.flatMap((list) => [...list[1]!.matchAll(/'([^']+)'/g)].map((key) => key[1]!));
  });
}

test('no key stands in two lists: such a clash breaks the pane that comes second', () => {
  const keys = keys_in(join(import.meta.dirname, '../src'));
  expect(keys.length).toBeGreaterThan(40);
  const twice = keys.filter((key, index) => keys.indexOf(key) !== index);
  expect(twice).toEqual([]);
});
