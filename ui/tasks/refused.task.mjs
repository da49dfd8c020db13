// A theft that fails, and who saw to it: from the refusal to the rule, and back to the call that made the rule.
import assert from 'node:assert/strict';
import test from 'node:test';
import { ask_log, browse, current_instruction, debug, front, instant, layout, moved_from, open, open_row, pane, picture, recording, stands_at } from './world.mjs';

/** The thief's first read, and the call of the secure kernel that claimed the page: of the default machine. */
const theft = 2327976543;
const claim = 24146681;

for (const theme of ['dark', 'light'])
  test(`open the thief's run and reach the instruction and the rule that denied it (${theme})`, async (t) => {
    const { url } = await debug(t, recording('boot'));
    const page = await open(await browse(t, { theme }), url);
    await layout(page, 'Chase a SLAT fault');
    const events = await ask_log(page, 'kind == Intercept', 10);
    await open_row(page, events, 0);
    await stands_at(page, theft);
    assert.match(await current_instruction(page), /read_page\+0x3|movzx|mov /);
    await page.locator('header').getByText('thief!').waitFor();

    const walk = pane(page, 'Page walk');
    await walk.getByText('stage 2 denies reading').waitFor();
    await walk.getByRole('row', { name: /✗ .*PTE.*0x10000000273030/ }).waitFor();
    const leaf = walk.getByRole('row').filter({ hasText: 'not reached' });
    assert.match(await leaf.textContent(), /0x273000/);
    assert.match(await leaf.getByRole('cell').nth(-2).getAttribute('title'), /^VTL 0: /);
    assert.equal(await leaf.getByRole('cell').nth(-2).textContent(), '-- -- --', 'VTL 0 has no rights to the page');
    assert.match(await leaf.getByRole('cell').nth(-1).textContent(), /^rw/, 'VTL 1 has');
    await picture(page, `denied-${theme}`);
  });

test('reverse from a SLAT violation to the secure call that took the right away', async (t) => {
  const { url } = await debug(t, recording('boot'));
  const page = await open(await browse(t), url);
  await layout(page, 'Chase a SLAT fault');
  await open_row(page, await ask_log(page, 'kind == Intercept', 10), 0);
  await stands_at(page, theft);

  await pane(page, 'Page walk').getByRole('button', { name: 'who set this?' }).click();
  await moved_from(page, theft);
  await stands_at(page, claim);
  await page.getByRole('status').filter({ hasText: /rights of VTL 0: .* -> no rights/ }).first().waitFor();
  await page.locator('header').getByText('VTL 1').waitFor();

  // The hypercall, inside the service that a trustlet asked for, inside the VTL call that let it run.
  await front(page, 'Calls');
  await pane(page, 'Calls').getByRole('treeitem', { selected: true }).filter({ hasText: 'ModifyVtlProtectionMask' }).waitFor();
  await front(page, 'Stack');
  const frames = pane(page, 'Stack').getByRole('listbox', { name: 'Frames of the stack' });
  for (const name of ['sk::ShvlProtectPages', 'sk::SkmmAllocateUserMemory', 'iumdll!NtAllocateVirtualMemory', 'lsaiso!allocate_secret_page', 'nt!HvlpSwitchToVsmVtl1'])
    await frames.getByText(name).first().waitFor();
  await picture(page, 'right-taken-away');

  // Further back it is the right of VTL 0 again, and the page says so.
  await page.keyboard.press('[');
  await moved_from(page, claim);
  assert.ok((await instant(page)) < claim);
});
