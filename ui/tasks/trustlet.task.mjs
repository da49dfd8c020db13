// A trustlet asks the secure kernel for cryptography: from the call to its answer, and back.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask_log, browse, current_instruction, debug, front, go, instant, moved_from, open, open_row, pane, picture, recording, stands_at } from './world.mjs';

/** The trustlet's first IumCrypto, of the default machine. */
const entry = 24147932;

test('follow an IumCrypto call from the trustlet to its answer and back', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), url);
  await open_row(page, await ask_log(page, 'kind == SystemCall and name == "IumCrypto"', 8), 0);
  await stands_at(page, entry);
  await page.locator('header').getByText('securekernel!IumSystemCallEntry').waitFor();
  assert.match(await current_instruction(page), /swapgs/);

  // Who called: the trustlet, over both rings, and the world that lets it run.
  await front(page, 'Stack');
  const frames = pane(page, 'Stack').getByRole('listbox', { name: 'Frames of the stack' });
  for (const name of ['iumdll!IumCrypto', 'iumbase!EncryptData', 'lsaiso!write_secret', 'lsaiso!TrustletMain', 'nt!HvlpSwitchToVsmVtl1'])
    await frames.getByText(name).first().waitFor();
  await picture(page, 'ium-call');

  // Its answer: out of the secure kernel, the trustlet goes on with a status in RAX.
  await page.keyboard.press('Shift+F11');
  await moved_from(page, entry);
  const answer = await instant(page);
  await page.locator('header').getByText('ring 3').waitFor();
  await page.locator('header').getByText('iumdll!IumCrypto+0xa').waitFor();
  assert.match(await current_instruction(page), /ret/);
  await pane(page, 'Registers').getByRole('button', { name: /^rax of both VTLs: 00000000`00000000/ }).waitFor();
  await picture(page, 'ium-answer');

  // And back over the whole call at once, then on to the answer again.
  await page.keyboard.press('Control+F10');
  await stands_at(page, entry - 1);
  assert.match(await current_instruction(page), /syscall/);
  await page.keyboard.press('F10');
  await stands_at(page, answer);
});

test('a breakpoint on system calls of trustlets stops at each of them, in both directions', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), url);
  await go(page, '@24000000');
  await front(page, 'Breakpoints');
  await pane(page, 'Breakpoints').getByRole('checkbox', { name: 'System call of a trustlet' }).check();
  await page.keyboard.press('F5');
  await moved_from(page, 24000000);
  await page.keyboard.press('F5');
  await stands_at(page, entry - 1);
  await page.keyboard.press('F5');
  await moved_from(page, entry - 1);
  await page.keyboard.press('Control+F5');
  await stands_at(page, entry - 1);
});
