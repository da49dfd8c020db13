// The guided tour from beginning to end, as a newcomer takes it.
import assert from 'node:assert/strict';
import test from 'node:test';
import { browse, debug, inaccessible, instant, open, pane, picture, recording, settled } from './world.mjs';

const titles = [
  'Two worlds on one line of time',
  'A secure call begins',
  'The message is in the registers',
  'Into the other world',
  'One call, one tree',
  'The same page, seen from both worlds',
  'The answer',
  'A thief',
  'Who took the right away?',
];

async function arrives(page, number) {
  const card = page.getByRole('complementary', { name: 'Guided tour' });
  await card.getByRole('heading', { name: titles[number], exact: true }).waitFor();
  await card.getByText(`${number + 1} of ${titles.length}`).waitFor();
  await page.locator('.toured').waitFor(); // what it speaks of is framed
  await settled(page);
  return card;
}

for (const theme of ['dark', 'light'])
  test(`the guided tour shows on each step what it speaks of, and goes back the same way (${theme})`, async (t) => {
    const { url } = await debug(t, recording('boot'));
    const page = await open(await browse(t, { theme }), url);
    await page.keyboard.press('F2');
    const shows = [
      async () => {},
      async () => assert.match(await pane(page, 'Disassembly').locator('[aria-current="step"]').textContent(), /vmcall/),
      async () => pane(page, 'Registers').getByRole('button', { name: /^rbx of both VTLs/ }).waitFor(),
      async () => page.locator('header').getByText('VTL 1').waitFor(),
      async () => pane(page, 'Calls').getByRole('treeitem').filter({ hasText: 'focus' }).first().waitFor(),
      async () => pane(page, 'Memory').getByRole('gridcell').filter({ hasText: '?? ??' }).first().waitFor(),
      async () => page.locator('header').getByText('VTL 1').waitFor(),
      async () => pane(page, 'Page walk').getByText(/stage 2 denies reading/).waitFor(),
      async () => pane(page, 'SLAT map').waitFor(),
    ];
    const instants = [];
    for (let number = 0; number < titles.length; ++number) {
      const card = await arrives(page, number);
      await shows[number]();
      await picture(page, `tour-${number + 1}-${theme}`);
      instants.push(await instant(page));
      if (theme === 'dark' || number === 4) assert.deepEqual(await inaccessible(page), [], titles[number]);
      if (number + 1 < titles.length) await card.getByRole('button', { name: 'Next' }).press('Enter');
    }
    for (let number = titles.length - 2; number >= 1; --number) {
      await page.getByRole('complementary', { name: 'Guided tour' }).getByRole('button', { name: 'Back' }).click();
      await arrives(page, number);
      assert.equal(await instant(page), instants[number], `back at “${titles[number]}”`);
    }
    await page.getByRole('button', { name: 'End the tour' }).click();
    assert.equal(await page.getByRole('complementary', { name: 'Guided tour' }).count(), 0);
  });
