// The pictures of the documents: docs/images/draw runs it. usage: pictures.mjs FOLDER, environment as in world.mjs
import { join } from 'node:path';
import { browse, debug, layout, open, pane, recording, settled, stands_at } from './world.mjs';

const folder = process.argv[2];
const after = [];
const run = { name: 'pictures', after: (end) => after.push(end) };
const theft = 2327976543;
const call = 24147932;

async function page_at(theme, title, at, more = '') {
  const { url } = await debug(run, recording('boot'));
  const page = await open(await browse(run, { theme, width: 1240, height: 800 }), `${url}&at=${at}&vp=0${more}`);
  await stands_at(page, at);
  await layout(page, title);
  return page;
}
async function take(page, name) {
  await settled(page);
  await page.waitForFunction(() => !document.body.innerText.includes('Waiting for the program'));
  await page.screenshot({ path: join(folder, `debugger-${name}.png`) });
}

try {
  const refused = await page_at('dark', 'Chase a SLAT fault', theft, '&vtl=0&datum=memory.gva.0x2779cbb0000.8.0');
  await pane(refused, 'Page walk').getByText('stage 2 denies reading').waitFor();
  await pane(refused, 'Memory').getByRole('gridcell').filter({ hasText: '?? ??' }).first().waitFor();
  await take(refused, 'refused');

  const secure_call = await page_at('dark', 'Explain a secure call', call, '&vtl=1');
  await pane(secure_call, 'Calls').getByRole('treeitem', { selected: true }).waitFor();
  await secure_call.setViewportSize({ width: 1160, height: 700 });
  await take(secure_call, 'secure-call');

  const tour = await page_at('dark', 'Teach', 0, '&vtl=0');
  await tour.keyboard.press('F2');
  for (const title of ['A secure call begins', 'The message is in the registers', 'Into the other world']) {
    await tour.getByRole('button', { name: 'Next', exact: true }).click();
    await tour.getByRole('heading', { name: title, exact: true }).waitFor();
  }
  await tour.setViewportSize({ width: 1200, height: 740 });
  await take(tour, 'tour');

  const teach = await page_at('light', 'Teach', theft, '&vtl=0&datum=memory.gpa.0x273000.16.0');
  await pane(teach, 'Memory').getByRole('gridcell').filter({ hasText: '?? ??' }).first().waitFor();
  await take(teach, 'teach');
} finally {
  for (const end of after) await end();
}
