// What the page says when things are not as they should be. Nothing is executed that is not ours, and nothing is lost.
import assert from 'node:assert/strict';
import { copyFileSync, statSync, truncateSync, mkdtempSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { browse, debug, go, instant, open, picture, recording, rpc, settled, stands_at } from './world.mjs';

const refused_socket = /WebSocket connection|Failed to load resource|net::ERR/;

test('the program ends: the page keeps what it shows, says so, and offers to try again', async (t) => {
  const { program, url } = await debug(t, recording('boot'));
  const page = await open(await browse(t, { expected: refused_socket }), url);
  await go(page, '@98670745');
  program.kill('SIGKILL');
  await page.getByRole('alert').getByText('The program is gone').waitFor();
  await page.getByRole('button', { name: 'Try now' }).click();
  assert.equal(await instant(page), 98670745);
  assert.ok((await page.getByRole('grid', { name: 'Instructions' }).getByRole('row').count()) > 5, 'the code is still there');
  await picture(page, 'state-gone');
});

test('a link of another start is refused with words, not with an empty page', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const context = await browse(t, { expected: refused_socket });
  const page = await context.newPage();
  await page.goto(url.replace(/#t=.*/, '#t=00000000000000000000000000000000'));
  await page.getByRole('alert').getByText('This link is of another start').waitFor();
  await picture(page, 'state-refused');
});

test('a truncated recording shows what it has, and says what is missing', async (t) => {
  const file = join(mkdtempSync(join(tmpdir(), 'airlock-truncated-')), 'cut.air');
  copyFileSync(recording('boot'), file);
  truncateSync(file, statSync(file).size - 1500); // inside the last events
  const { url } = await debug(t, file);
  const page = await open(await browse(t), url);
  const complaint = page.getByRole('status').filter({ hasText: 'Careful:' });
  await complaint.first().waitFor();
  await picture(page, 'state-truncated');
  await page.keyboard.press('F11');
  await stands_at(page, 1);
  await complaint.first().getByRole('button', { name: 'Got it' }).click();
  assert.equal(await complaint.count(), 0);
});

test('two tabs stand at the same place, and one that is pinned stays', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const context = await browse(t);
  const first = await open(context, url);
  const second = await open(context, url);
  await go(first, '@4787199');
  await stands_at(second, 4787199);
  await go(second, 'Pin this page');
  await go(first, '@5000000');
  await settled(second);
  assert.equal(await instant(second), 4787199);
  assert.equal(await instant(first), 5000000);
});

test('a page of another origin can neither call, nor listen, nor read', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const target = new URL(url);
  const token = target.hash.slice(3);
  const foreign = createServer((_, answer) => answer.setHeader('Content-Type', 'text/html').end('<!doctype html><title>elsewhere</title>'));
  await new Promise((listening) => foreign.listen(0, '127.0.0.1', listening));
  t.after(() => foreign.close());
  const context = await browse(t, { expected: /.*/ });
  const page = await context.newPage();
  await page.goto(`http://127.0.0.1:${foreign.address().port}/`);
  const tried = await page.evaluate(
    async ([origin, secret]) => {
      const outcome = async (attempt) => attempt().then(() => 'done', () => 'refused');
      const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'focus', params: { at: 7 } });
      const socket = () =>
        new Promise((done, refused) => {
          const each = new WebSocket(`${origin.replace('http', 'ws')}/ws?t=${secret}`);
          each.onopen = done;
          each.onerror = refused;
        });
      return {
        call: await outcome(() => fetch(`${origin}/rpc`, { method: 'POST', headers: { Authorization: `Bearer ${secret}`, 'Content-Type': 'application/json' }, body })),
        simple: await outcome(() => fetch(`${origin}/rpc`, { method: 'POST', body }).then((answer) => answer.text())),
        read: await outcome(() => fetch(`${origin}/`).then((answer) => answer.text())),
        socket: await outcome(socket),
        frame: await new Promise((done) => {
          const frame = document.createElement('iframe');
          frame.src = origin;
          frame.onload = () => done(frame.contentDocument === null ? 'refused' : frame.contentDocument.body?.childElementCount ? 'done' : 'refused');
          document.body.append(frame);
        }),
      };
    },
    [target.origin, token],
  );
  assert.deepEqual(tried, { call: 'refused', simple: 'refused', read: 'refused', socket: 'refused', frame: 'refused' });
  assert.equal((await rpc(url, 'status')).focus.at, 0, 'nothing was moved');
});

test('a link made for another machine says so, and still shows what it can', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), `${url}&c=ffffffffffffffff&at=4787199&vp=0&vtl=0`);
  await page.getByText('The link was made for another machine').waitFor();
  await stands_at(page, 4787199);
});
