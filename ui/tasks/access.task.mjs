// An accessibility checker finds nothing serious: in the layouts, the dialogs, and in both themes.
import assert from 'node:assert/strict';
import test from 'node:test';
import { browse, debug, inaccessible, layout, open, pane, picture, recording, rpc, settled, stands_at } from './world.mjs';

/** Of the default machine: a secure call of the boot, with values in every pane. */
const call = 24147932;
const layouts = ['Explain a secure call', 'Chase a SLAT fault', 'Triage a finding', 'Teach'];

for (const theme of ['dark', 'light'])
  test(`nothing serious stands between a person and the page (${theme})`, async (t) => {
    const { url } = await debug(t, recording('boot'));
    const page = await open(await browse(t, { theme }), `${url}&at=${call}&vp=0&vtl=1`);
    await stands_at(page, call);
    const wrong = {};
    const check = async (name) => {
      await settled(page);
      await picture(page, `access-${name.replaceAll(' ', '-').toLowerCase()}-${theme}`);
      const found = await inaccessible(page);
      if (found.length > 0) wrong[name] = found;
    };
    for (const title of layouts) {
      await layout(page, title);
      await check(title);
    }
    // Panes that stand behind others: each in front once.
    await page.keyboard.press('l');
    const panes = await page.getByRole('dialog', { name: 'Layout' }).locator('section').nth(1).locator('button[title]').allTextContents();
    await check('dialog of layouts');
    await page.keyboard.press('Escape');
    await page.keyboard.press('?');
    await page.getByRole('heading', { name: 'Keys and panes' }).waitFor();
    await check('dialog of keys');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Control+k');
    await page.getByRole('combobox', { name: /./ }).last().fill('step');
    await page.getByRole('listbox', { name: 'Offers' }).getByRole('option').first().waitFor();
    await check('palette');
    await page.keyboard.press('Escape');
    for (const title of panes.filter((each) => !/^Compare$/.test(each))) {
      await page.keyboard.press('l');
      await page.getByRole('dialog', { name: 'Layout' }).getByRole('button', { name: title, exact: true }).click();
      await pane(page, title).waitFor();
      await check(`pane ${title}`);
    }
    assert.deepEqual(wrong, {});
  });
