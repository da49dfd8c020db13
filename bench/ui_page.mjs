// What the page costs in a browser, headless and drawn by software; prints lines of what, value and what was wanted, with tabs.
// usage: ui_page.mjs RECORDING, environment as in ui/tasks/world.mjs
import { gzipSync } from 'node:zlib';
import { browse, debug, go, instant, moved_from, pane, rpc, settled } from '../ui/tasks/world.mjs';

const after = [];
const run = { name: 'bench', after: (end) => after.push(end) };
const print = (what, value, wanted) => console.log(`${what}\t${value}\t${wanted}`);
const rank = (times, share) => [...times].sort((a, b) => a - b)[Math.min(times.length - 1, Math.floor(times.length * share))];
const times_text = (times) => `median ${rank(times, 0.5).toFixed(0)} ms, p95 ${rank(times, 0.95).toFixed(0)} ms`;

/** Milliseconds from a key to the frame that shows another text in `selector`. */
async function key_to_paint(page, key, selector, attribute) {
  await page.evaluate(
    ([where, of]) => {
      const text = () => { const found = document.querySelector(where); return of ? found?.getAttribute(of) : found?.textContent; };
      window.measured = new Promise((done) => {
        addEventListener('keydown', () => {
          const [begun, before] = [performance.now(), text()];
          const look = () => (text() === before ? requestAnimationFrame(look) : requestAnimationFrame(() => done(performance.now() - begun)));
          requestAnimationFrame(look);
        }, { once: true, capture: true });
      });
    },
    [selector, attribute],
  );
  await page.keyboard.press(key);
  return page.evaluate(() => window.measured);
}
async function keys(page, key, count, selector, attribute) {
  const times = [];
  for (let i = 0; i < count; ++i) {
    times.push(await key_to_paint(page, key, selector, attribute));
    await settled(page);
  }
  return times;
}
/** Frames a second while the wheel turns over a point. */
async function frames(page, box, turn) {
  await page.mouse.move(box.x + box.width / 2, box.y + box.height / 2);
  await page.evaluate(() => {
    window.frames_seen = 0;
    const counted = (window.counted = {}); // a former count ends here
    const each = () => counted === window.counted && ((window.frames_seen += 1), requestAnimationFrame(each));
    requestAnimationFrame(each);
  });
  const begun = Date.now();
  const from = await page.evaluate(() => window.frames_seen);
  for (let i = 0; i < 60; ++i) await page.mouse.wheel(0, turn(i));
  const seen = (await page.evaluate(() => window.frames_seen)) - from;
  return `${(seen / ((Date.now() - begun) / 1e3)).toFixed(0)} a second, software rendering`;
}

try {
  const { url } = await debug(run, process.argv[2]);
  const context = await browse(run, {});
  const page = context.pages()[0];
  const begun = Date.now();
  await page.goto(url);
  await pane(page, 'Disassembly').locator('[aria-current="step"]').waitFor();
  print('first useful screen after navigation', `${Date.now() - begun} ms`, '1,000 ms');
  await settled(page);
  const { end } = await rpc(url, 'status');
  const where = 'header .where b';
  const middle = Math.floor(end / 2);
  await go(page, `@${middle}`);
  print('key to paint: step', times_text(await keys(page, 'F11', 40, where)), 'p95 33 ms');
  print('key to paint: step back', times_text(await keys(page, 'Control+F11', 40, where)), 'p95 80 ms');
  print('key to paint: next switch of VTL', times_text(await keys(page, ']', 20, where)), 'p95 300 ms');
  const grid = pane(page, 'Log').getByRole('grid', { name: 'Events' });
  await grid.focus();
  print('key to paint: arrow in the log', times_text(await keys(page, 'ArrowDown', 40, '[role=grid][aria-label=Events]', 'aria-activedescendant')), 'p95 33 ms');
  const jumps = [];
  for (let i = 1; i <= 20; ++i) {
    const [to, before, start] = [Math.floor((end * ((i * 7919) % 1000)) / 1000), await instant(page), Date.now()];
    await page.evaluate((at) => (location.hash = location.hash.replace(/at=\d+/, `at=${at}`)), to);
    await moved_from(page, before);
    jumps.push(Date.now() - start);
  }
  print('jump anywhere, all panes', times_text(jumps), 'p95 300 ms');
  print('scrolling the log', await frames(page, await grid.boundingBox(), () => 120), '50 a second');
  print('zooming the timeline', await frames(page, await page.getByRole('region', { name: 'Timeline' }).locator('canvas').first().boundingBox(), (i) => (i % 20 < 10 ? -120 : 120)), '50 a second');
  const scripts = await page.evaluate(async () => Promise.all([...document.scripts].filter((each) => each.src).map(async (each) => (await fetch(each.src)).text())));
  print('script, gzip', `${(scripts.reduce((sum, text) => sum + gzipSync(text).length, 0) / 1e3).toFixed(0)} kB`, '150 kB');
} finally {
  for (const end of after) await end();
}
