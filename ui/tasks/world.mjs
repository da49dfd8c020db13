// What the tasks share: the program over a recording, Chromium, pictures.
//
// Environment: AIRLOCK the program; PACKAGES the folder of node_modules (this one's parent if absent); UI_DIR the page, if not the one
// in the program; CHROMIUM the browser; RECORDINGS a folder for recordings, made on demand and kept; PICTURES a folder for
// screenshots, absent: none are taken; PATIENCE milliseconds to wait for what should come.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const here = dirname(fileURLToPath(import.meta.url));
const packages = resolve(process.env['PACKAGES'] ?? join(here, '..'));
const { chromium } = createRequire(join(packages, 'package.json'))('playwright-core');
/** Source of the accessibility checker, for pages. */
export const axe_path = join(packages, 'node_modules/axe-core/axe.min.js');
export const airlock = process.env['AIRLOCK'] ?? assert.fail('AIRLOCK is not set');
const recordings = resolve(process.env['RECORDINGS'] ?? join(tmpdir(), 'airlock-recordings'));
const pictures = process.env['PICTURES'];
const page_folder = process.env['UI_DIR'] === undefined ? [] : ['--ui-dir', resolve(process.env['UI_DIR'])];

/** Milliseconds until something that is awaited must be there: many programs may share the machine. */
export const patience = Number(process.env['PATIENCE'] ?? 120000);

const flags = [
  '--no-sandbox', // tests run as root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** What closes the browsers of a test. */
const browsers = new WeakMap();

/** A recording by `airlock run --record`, made once; `more` are further arguments. */
export function recording(name, ...more) {
  const file = join(recordings, `${name}.air`);
  if (!existsSync(file)) {
    mkdirSync(recordings, { recursive: true });
    const part = join(recordings, `${name}.part.air`);
    execFileSync(airlock, ['run', '-q', '--record', part, ...more], { stdio: 'ignore' });
    execFileSync('mv', [part, file]);
  }
  return file;
}

/** `airlock debug` with these arguments; ends with the test. */
export async function debug(test, ...more) {
  const program = spawn(airlock, ['debug', '--no-open', ...page_folder, ...more], { stdio: ['ignore', 'pipe', 'pipe'] });
  test.after(async () => {
    for (const close of browsers.get(test) ?? []) await close(); // or their pages would complain that the program is gone
    program.kill('SIGKILL');
  });
  const url = await new Promise((found, failed) => {
    let text = '';
    const take = (data) => {
      text += data;
      const match = /http:\/\/127\.0\.0\.1:\d+\/#t=[0-9a-f]+/.exec(text);
      if (match) found(match[0]);
    };
    program.stdout.on('data', take);
    program.stderr.on('data', take);
    program.on('exit', (code) => failed(new Error(`the program ended with ${code}: ${text}`)));
  });
  return { program, url };
}

/** Calls the interface beside the page. */
export async function rpc(url, method, params = {}) {
  const { origin, hash } = new URL(url);
  const answer = await fetch(`${origin}/rpc`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${hash.slice(3)}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
  });
  const { result, error } = await answer.json();
  if (error) throw new Error(`${method}: ${error.message}`);
  return result;
}

/** A browser of its own for a test; fails the test if a page reports errors that `expected` does not match, or leaves its origin. */
export async function browse(test, { expected, theme = 'dark', width = 1720, height = 1000 } = {}) {
  const profile = mkdtempSync(join(tmpdir(), 'airlock-chromium-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath: process.env['CHROMIUM'] ?? '/usr/bin/chromium',
    args: flags,
    viewport: { width, height },
    colorScheme: theme,
    acceptDownloads: true,
  });
  context.setDefaultTimeout(patience);
  const errors = [];
  const foreign = [];
  context.on('console', (message) => {
    if (message.type() === 'error' && !expected?.test(message.text())) errors.push(message.text());
  });
  context.on('weberror', (error) => errors.push(String(error.error().stack ?? error.error())));
  context.on('request', (request) => {
    if (!/^(http|ws):\/\/127\.0\.0\.1:|^(data|blob):/.test(request.url())) foreign.push(request.url());
  });
  let closed;
  const close = () => (closed ??= last_pictures(context, test.name).then(() => context.close()));
  browsers.set(test, [...(browsers.get(test) ?? []), close]);
  test.after(async () => {
    await close();
    rmSync(profile, { recursive: true, force: true });
    assert.deepEqual(errors, [], 'the page reported errors');
    assert.deepEqual(foreign, [], 'the page asked other origins');
  });
  return context;
}

/** A page that shows the run. */
export async function open(context, url) {
  const page = context.pages()[0]?.url() === 'about:blank' ? context.pages()[0] : await context.newPage();
  await page.goto(url);
  await page.getByText('● connected').waitFor();
  await settled(page);
  return page;
}

/** Nothing moves, and the panes have had their answers. */
export async function settled(page) {
  await page.waitForFunction(() => !document.querySelector('[aria-busy="true"]') && !/… *$/.test(document.querySelector('footer span.warn')?.textContent ?? ''));
  await page.evaluate(() => new Promise((painted) => requestAnimationFrame(() => requestAnimationFrame(painted))));
}

/** By the palette, as a person would: an instant "@12", an address, a command's title. */
export async function go(page, text) {
  await page.keyboard.press('Control+k');
  await page.getByRole('combobox', { name: /^A command, symbol/ }).fill(text);
  const offer = page.getByRole('listbox', { name: 'Offers' }).getByRole('option').first();
  await offer.waitFor();
  await page.waitForTimeout(120); // offers of the program come a little after those of the page
  await page.keyboard.press('Enter');
  await settled(page);
}

/** Chooses a layout by its title. */
export async function layout(page, title) {
  await page.getByRole('button', { name: 'Layout', exact: true }).click();
  await page.getByRole('button', { name: title }).click();
  await settled(page);
}

/** Brings a pane that is there to the front, by its tab. */
export async function front(page, title) {
  await page.getByRole('main').getByRole('button', { name: title, exact: true }).first().click();
  await pane(page, title).waitFor();
  return pane(page, title);
}

export function pane(page, title) {
  return page.getByRole('region', { name: title, exact: true });
}

/** The instant that the page stands at. */
export async function instant(page) {
  const text = await page.locator('header .where b').textContent();
  return Number(text.replaceAll(',', ''));
}

/** Waits until it does. */
export async function stands_at(page, wanted) {
  await page.waitForFunction((text) => document.querySelector('header .where b')?.textContent === text, wanted.toLocaleString('en'));
  await settled(page);
}

/** For people: kept where PICTURES says. */
export async function picture(page, name) {
  if (pictures === undefined) return;
  mkdirSync(pictures, { recursive: true });
  await settled(page);
  await page.screenshot({ path: join(pictures, `${name}.png`) });
}

/** What stood there when a test ended, however it did. */
async function last_pictures(context, name) {
  if (pictures === undefined) return;
  mkdirSync(join(pictures, 'last'), { recursive: true });
  for (const [index, page] of context.pages().entries())
    await page.screenshot({ path: join(pictures, 'last', `${name.replace(/[^a-z0-9]+/gi, '-').slice(0, 80)}-${index}.png`) }).catch(() => undefined);
}

/** What the accessibility checker finds serious or critical. */
export async function inaccessible(page) {
  await page.evaluate(await import('node:fs').then((files) => files.readFileSync(axe_path, 'utf8')));
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter((violation) => ['serious', 'critical'].includes(violation.impact))
    .map((violation) => `${violation.id}: ${violation.help}: ${violation.nodes.slice(0, 3).map((node) => node.target.join(' ')).join(' | ')} (${violation.nodes.length})`);
}

// --- What tasks do again and again

/** Asks the log for events, and waits until all were looked at. Answers with their grid. `expected`: their number. */
export async function ask_log(page, query, expected) {
  await page.keyboard.press('/');
  const box = page.getByRole('combobox', { name: 'Query over events' });
  await box.fill(query);
  await box.press('Enter');
  await pane(page, 'Log').getByText(`${expected.toLocaleString('en')} found`, { exact: true }).waitFor({ timeout: patience });
  return pane(page, 'Log').getByRole('grid', { name: 'Events' });
}

/** Selects a row from the first on, by keyboard, and goes there. */
export async function open_row(page, grid, index) {
  await grid.focus();
  await page.keyboard.press('Home');
  for (let i = 0; i < index; ++i) await page.keyboard.press('ArrowDown');
  await grid.getByRole('row', { selected: true }).filter({ hasNotText: '…' }).waitFor();
  await page.keyboard.press('Enter');
}

/** Waits until the page stands elsewhere. */
export async function moved_from(page, before) {
  await page.waitForFunction((text) => document.querySelector('header .where b')?.textContent !== text, before.toLocaleString('en'), { timeout: patience });
  await settled(page);
}

/** The row of the instruction that is about to execute. */
export async function current_instruction(page) {
  const row = pane(page, 'Disassembly').locator('[aria-current="step"]');
  await row.waitFor();
  return row.textContent();
}
