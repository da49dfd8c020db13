// The keyboard alone: every key that the help lists does something, or is disabled and not offered; every motion; every pane.
import assert from 'node:assert/strict';
import test from 'node:test';
import { browse, debug, go, instant, moved_from, open, recording, settled, stands_at } from './world.mjs';

/** Of the default machine: inside a secure call. */
const start = 24147932;

/** Everything that somebody could see, as a text. */
function seen(page) {
  return page.evaluate(() => {
    const drawn = [...document.querySelectorAll('canvas')].map((canvas) => (canvas.width > 0 && canvas.height > 0 ? canvas.toDataURL() : ''));
    const { activeElement: active } = document;
    const fields = [...document.querySelectorAll('input, select')].map((field) => field.value);
    return [document.documentElement.outerHTML, ...drawn, ...fields, active?.outerHTML.slice(0, 200)].join('\n');
  });
}

/** The list of the help overlay: [key, title]. */
async function keys_of_help(page) {
  await page.keyboard.press('?');
  const dialog = page.getByRole('dialog', { name: 'Keys and panes' });
  await dialog.waitFor();
  const list = await dialog.evaluate((root) =>
    [...root.querySelectorAll('dl > div')].flatMap((row) => [...row.querySelectorAll('dt kbd')].map((key) => [key.textContent, row.querySelector('dd').textContent])),
  );
  await page.keyboard.press('Escape');
  await dialog.waitFor({ state: 'hidden' });
  return list;
}

/** As Playwright presses it: Shift+n, Control+F11, [ */
function pressed(key) {
  return key.replace('Ctrl+', 'Control+').replace(/\+([a-z])$/, (_, letter) => `+${letter}`);
}

async function offered(page, title) {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: /^A command, symbol/ }).fill(title);
  const offers = page.getByRole('listbox', { name: 'Offers' }).getByRole('option');
  await offers.first().waitFor();
  const titles = await offers.locator('.title').allTextContents();
  await page.keyboard.press('Escape');
  await offers.first().waitFor({ state: 'hidden' });
  return titles.includes(title);
}

async function begin(page) {
  await page.keyboard.press('Escape');
  await page.evaluate(() => document.activeElement?.blur()); // in a field, letters and signs are text
  const said = page.locator('.banner').getByRole('button', { name: 'Close', exact: true });
  if (await said.isVisible()) await said.click(); // the same words once more would change nothing
  if ((await instant(page)) !== start) await go(page, `@${start}`);
  await stands_at(page, start);
}

test('every key of the help overlay does something, or its command is not offered', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t, { width: 1280, height: 800 }), `${url}&at=${start}&vp=0&vtl=1`);
  await stands_at(page, start);
  const list = await keys_of_help(page);
  assert.ok(list.length > 30, `the help lists ${list.length} keys`);
  const idle = [];
  for (const [key, title] of list) {
    await begin(page);
    const before = await seen(page);
    await page.keyboard.press(pressed(key));
    const changed = async () => {
      for (let tries = 0; tries < 20; ++tries) {
        if ((await seen(page)) !== before) return true;
        await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
        await new Promise((later) => setTimeout(later, 50));
      }
      return false;
    };
    if (!(await changed()) && (await offered(page, title))) idle.push(`${key}: ${title}`);
    await settled(page);
    for (let tries = 0; tries < 2 && (await page.locator('dialog[open], .tour').count()) > 0; ++tries) await page.keyboard.press((await page.locator('.tour').count()) > 0 ? 'F2' : 'Escape');
  }
  assert.deepEqual(idle, []);
});

test('all motions go by keyboard, forwards and back to the same instant', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), `${url}&at=${start}&vp=0&vtl=1`);
  await stands_at(page, start);
  const pairs = [['F11', 'Control+F11'], ['s', 'Shift+s'], ['F10', 'Control+F10'], ['n', 'Shift+n']];
  for (const [on, back] of pairs) {
    await page.keyboard.press(on);
    await moved_from(page, start);
    const there = await instant(page);
    assert.ok(there > start, on);
    await page.keyboard.press(back);
    await moved_from(page, there);
    assert.equal(await instant(page), start, `${on} and ${back}`);
  }
  await page.keyboard.press(']');
  await moved_from(page, start);
  const next = await instant(page);
  await page.keyboard.press(']');
  await moved_from(page, next);
  await page.keyboard.press('[');
  await stands_at(page, next);
  await page.keyboard.press('Control+End');
  await moved_from(page, next);
  await page.keyboard.press('Control+Home');
  await stands_at(page, 0);
});
