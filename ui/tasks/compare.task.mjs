// Two runs of one machine: the second gets an input that takes the thief's own page-table entry away just before the theft.
import assert from 'node:assert/strict';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { browse, debug, front, instant, layout, open, pane, patience, picture, recording, stands_at } from './world.mjs';

const theft = 2327976543;
const entry = '0x276d80';

test('compare two runs, and reach the first event that differs', async (t) => {
  const input = join(mkdtempSync(join(tmpdir(), 'airlock-input-')), 'input.txt');
  writeFileSync(input, `${theft - 40} memory ${entry} 00 00 00 00 00 00 00 00\n`);
  const { url } = await debug(t, recording('boot'), '--compare', recording('without-entry', '--input', input));
  const page = await open(await browse(t), url);
  await layout(page, 'Compare two runs');
  const compare = pane(page, 'Compare');
  await compare.getByRole('status').filter({ hasText: /part|differ|first/i }).first().waitFor({ timeout: patience });
  await compare.getByRole('button', { name: /first difference/i }).click();
  await stands_at(page, theft);

  // There the one is refused by the second stage, the other by its own tables.
  const row = compare.getByRole('grid').getByRole('row', { selected: true });
  await row.filter({ hasText: 'Intercept' }).waitFor();
  assert.match(await row.textContent(), /Exception/);
  await picture(page, 'compare');
  assert.equal(await instant(page), theft);
});
