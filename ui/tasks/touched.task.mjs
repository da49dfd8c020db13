// A page that VTL 0 may not see any more: who touched it first, who owns it, what became of its rights.
import assert from 'node:assert/strict';
import test from 'node:test';
import { browse, debug, go, instant, layout, moved_from, open, pane, picture, recording, settled, stands_at } from './world.mjs';

/** The page of lsaiso.exe that the thief wants, of the default machine: handed over by NTOS, claimed, and written by the trustlet. */
const secret = '0x273000';
const theft = 2327976543;
const claim = 24146681;

test('find the instruction that first touched a page now denied to VTL 0', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), `${url}&at=${theft}&vp=0&vtl=0&datum=memory.gpa.${secret}.8.0`);
  await layout(page, 'Chase a SLAT fault');
  const memory = pane(page, 'Memory');
  await memory.getByRole('status').filter({ hasText: 'stage 2 denies reading' }).waitFor();
  await memory.getByRole('gridcell').filter({ hasText: '?? ??' }).first().waitFor();

  // What became of its rights.
  const map = pane(page, 'SLAT map');
  const history = map.getByRole('table', { name: 'History of the page' });
  await history.getByRole('row').filter({ hasText: claim.toLocaleString('en') }).waitFor();
  assert.equal(await history.getByRole('row').count(), 3, 'taken by the secure kernel twice: execution, then everything');
  await picture(page, 'denied-page');

  // Before it was claimed: written for the last time by NTOS, which cleared it.
  await history.getByRole('button', { name: claim.toLocaleString('en') }).click();
  await stands_at(page, claim);
  await memory.getByRole('grid').focus();
  await page.keyboard.press('<');
  await moved_from(page, claim);
  const cleared = await instant(page);
  assert.ok(cleared < claim);
  await page.locator('header').getByText('nt!memset').waitFor();
  await picture(page, 'first-touch');

  // Nobody had touched it before: the beginning of that page's life is the instruction that cleared its first bytes.
  await page.keyboard.press('<');
  await page.getByRole('status').filter({ hasText: /No write of 8 bytes at GPA 0x273000 before|memset/ }).first().waitFor();
});
