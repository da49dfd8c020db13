// What somebody writes down stays: bookmarks in the recording, views in links.
import assert from 'node:assert/strict';
import { copyFileSync, mkdtempSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { browse, debug, go, layout, open, pane, picture, recording, rpc, settled, stands_at } from './world.mjs';

const theft = 2327976543;

test('a bookmark with a note is there when the recording is opened again', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'airlock-kept-')), 'kept.air');
  copyFileSync(recording('boot'), file);
  const first = await debug(t, file);
  const page = await open(await browse(t, { expected: /WebSocket|Failed to load|net::ERR/ }), first.url); // its program ends
  await go(page, `@${theft}`);
  await page.keyboard.press('m');
  const form = page.getByRole('form', { name: /^New bookmark at instant/ });
  await form.getByLabel('Name').fill('the theft');
  await form.getByLabel('Note').fill('refused by the second stage');
  await form.getByRole('button', { name: 'Add' }).click();
  await page.getByText('Bookmark “the theft” is kept in the recording.').first().waitFor();
  await rpc(first.url, 'bookmark.list').then(({ bookmarks }) => assert.equal(bookmarks.length, 1));
  first.program.kill('SIGINT');
  await new Promise((ended) => first.program.once('exit', ended));

  const second = await debug(t, file);
  const again = await open(await browse(t), second.url);
  await go(again, 'Pane: Bookmarks');
  const list = pane(again, 'Bookmarks').getByRole('listbox', { name: 'Bookmarks' });
  const mark = list.getByRole('option').filter({ hasText: 'the theft' });
  await mark.filter({ hasText: 'refused by the second stage' }).waitFor();
  await list.focus();
  await again.keyboard.press('Home');
  await again.keyboard.press('Enter');
  await stands_at(again, theft);
  await picture(again, 'bookmarks');
});

test('a link opens the same view in another browser', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), url);
  await layout(page, 'Chase a SLAT fault');
  await go(page, `@${theft}`);
  await go(page, '0x2779cbb0000'); // memory there
  await page.waitForURL(/datum=memory\.gva\.0x2779cbb0000/);
  const link = page.url();
  assert.match(link, new RegExp(`at=${theft}`));

  const other = await open(await browse(t), `${link}&layout=slat-fault`);
  await stands_at(other, theft);
  await pane(other, 'Page walk').getByText('stage 2 denies reading').waitFor();
  await pane(other, 'Memory').getByRole('gridcell').filter({ hasText: '?? ??' }).first().waitFor();
  await settled(other);
});
