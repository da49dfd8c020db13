// Guests, file names and notes are written by attackers: nothing of it is executed, and nothing leaves its row.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { airlock, browse, debug, go, open, pane, picture, rpc, settled } from './world.mjs';

const markup = '<img src=x onerror="window.owned=1"><script>window.owned=2</script>';
const texts = [
  markup,
  `javascript:window.owned=3//"><svg onload=window.owned=4>`,
  'left \u202eright\u202c \u2066isolated\u2069 \u200bnothing\ufeff',
  `control \x1b[31m \x07 \x00 \x7f \u0085 end`,
  'x'.repeat(4096),
  '\u0301'.repeat(500),
  '{{constructor.constructor("window.owned=5")()}} ${window.owned=6}',
];

/** A kernel of raw bytes: prints these lines to the port 0xE9, and ends the run. Entered at 1 MiB in 32-bit protected mode. */
function kernel(lines) {
  const text = Buffer.concat(lines.map((line) => Buffer.concat([Buffer.from(line.replaceAll('\n', ' '), 'utf8'), Buffer.from('\n')])));
  const code = Buffer.from([
    0xbe, 0, 0, 0, 0, // mov esi, text
    0xb9, 0, 0, 0, 0, // mov ecx, its length
    0x66, 0xba, 0xe9, 0x00, // mov dx, 0xe9
    0xfc, 0xf3, 0x6e, // cld; rep outsb
    0x31, 0xc0, 0xe7, 0xf4, // xor eax, eax; out 0xf4, eax
    0xfa, 0xf4, // cli; hlt
  ]);
  code.writeUInt32LE(0x100000 + code.length, 1);
  code.writeUInt32LE(text.length, 6);
  return Buffer.concat([code, text]);
}

function hostile_recording() {
  const folder = mkdtempSync(join(tmpdir(), 'airlock-hostile-'));
  writeFileSync(join(folder, 'kernel'), kernel(texts));
  const file = join(folder, '<img src=x onerror=window.owned=7>\u202e.air');
  try {
    execFileSync(airlock, ['run', '-q', '--kernel', join(folder, 'kernel'), '--record', file, '--embed'], { stdio: 'ignore' });
  } catch {
    // the exit code is the kernel's
  }
  assert.ok(existsSync(file), 'the run was recorded');
  return file;
}

/** Rows that are higher than they may be, or stand out of their list. */
function escaped(page) {
  return page.evaluate(() => {
    const wrong = [];
    for (const list of document.querySelectorAll('[role=grid], [role=listbox], [role=tree]')) {
      const box = list.getBoundingClientRect();
      if (box.right > innerWidth + 1 || box.bottom > innerHeight + 1) wrong.push(`${list.getAttribute('aria-label')}: the list leaves the page`);
      for (const row of list.querySelectorAll('[role=row], [role=option], [role=treeitem]')) {
        const { height } = row.getBoundingClientRect();
        if (height > 40) wrong.push(`${list.getAttribute('aria-label')}: a row is ${height} high`);
      }
    }
    if (document.documentElement.scrollWidth > innerWidth) wrong.push('the page can be scrolled sideways');
    return wrong;
  });
}

test('what a hostile guest prints is text, in the log, the output, the palette and the header', async (t) => {
  const { url } = await debug(t, hostile_recording());
  const { bookmarks } = { bookmarks: [markup, 'rtl \u202etxt.exe', 'n'.repeat(3000)] };
  for (const text of bookmarks) await rpc(url, 'bookmark.add', { at: 5, text });
  const page = await open(await browse(t), url);
  const check = async (name) => {
    await settled(page);
    await picture(page, `hostile-${name}`);
    assert.equal(await page.evaluate(() => window.owned), undefined, `${name}: something was executed`);
    assert.equal(await page.locator('img, script:not([src]), iframe, object, embed').count(), 0, `${name}: markup became elements`);
    assert.deepEqual(await escaped(page), [], name);
    const shown = `${await page.title()}\n${await page.evaluate(() => document.body.innerText)}`;
    const hiding = shown.split('\n').filter((line) => /[\u202a-\u202e\u2066-\u2069\u200b\ufeff\u0000-\u0008\u001b\u007f]/.test(line));
    assert.deepEqual(hiding.map((line) => line.slice(0, 80)), [], `${name}: characters that hide or turn text are not shown as signs`);
  };
  await pane(page, 'Log').getByRole('gridcell', { name: markup }).first().waitFor();
  await check('log');
  await go(page, 'Pane: Output');
  await pane(page, 'Output').getByText(markup).first().waitFor();
  await check('output');
  await go(page, 'Pane: Bookmarks');
  await pane(page, 'Bookmarks').getByText(markup).first().waitFor();
  await check('bookmarks');
  for (let row = 0; row < texts.length; ++row) {
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: /^A command, symbol/ }).fill(`#${row}`);
    await page.getByRole('listbox', { name: 'Offers' }).getByRole('option').filter({ hasText: `event ${row}` }).waitFor();
    await check(`palette-${row}`);
    await page.keyboard.press('Escape');
    await page.getByRole('listbox', { name: 'Offers' }).waitFor({ state: 'hidden' });
  }
  await page.keyboard.press('/');
  await page.keyboard.type('kind == DebugPrint and name == ');
  await settled(page);
  await check('words');
});
