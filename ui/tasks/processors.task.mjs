// A machine of two processors: each has its own worlds, and its own lanes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask_log, browse, debug, go, open, open_row, pane, picture, recording, rpc, settled } from './world.mjs';

test('look at the second processor, and at what it does', async (t) => {
  const { url } = await debug(t, recording('two', '--cpus', '2'));
  const page = await open(await browse(t), url);
  const { total } = await rpc(url, 'events.slice', { first: 0, count: 0, query: 'kind == VtlCall and vp == 1' });
  assert.ok(total > 0, 'the second processor calls the secure kernel too');
  await open_row(page, await ask_log(page, 'kind == VtlCall and vp == 1', total), 0);
  await page.locator('header').getByText('VP 1 VTL 0').waitFor();
  await settled(page);
  await picture(page, 'two-processors');
  await page.keyboard.press('p');
  await page.locator('header').getByText('VP 0').waitFor();
  await page.keyboard.press('p');
  await page.locator('header').getByText('VP 1').waitFor();
  await page.keyboard.press('F11');
  await page.locator('header').getByText(/VP 1 VTL 1/).waitFor();
});
