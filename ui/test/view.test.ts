import { render } from '@testing-library/svelte';
import { tick } from 'svelte';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { AddressBar, written_after } from '../src/core/address_bar';
import { calm_after } from '../src/core/view.svelte';
import Asks from './Asks.svelte';
import { FakeSession } from './fake_session.svelte';
import InSight from './InSight.svelte';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A pane whose answer is the instant that it asked for. */
async function begin({ calm = false, visible = true }: { calm?: boolean; visible?: boolean }) {
  const session = new FakeSession({ 'events.locate': ({ at }) => ({ row: at, complete: true }) as never });
  const pane = render(InSight, { visible, of: Asks as never, session: session.session, calm });
  await rest();
  const asked = () => session.parameters_of('events.locate').map((each) => each['at']);
  const go = async (at: number) => {
    session.focus = { ...session.focus, at };
    await rest();
  };
  return { pane, asked, go, text: () => pane.container.textContent, busy: () => pane.container.querySelector('[aria-busy="true"]') !== null };
}
/** What was asked is answered; no time passes. */
async function rest(): Promise<void> {
  for (let i = 0; i < 4; ++i) await tick();
}

test('a view asks at once, and once for each place', async () => {
  const { asked, go, text } = await begin({});
  expect(asked()).toEqual([100]);
  await go(101);
  await go(102);
  expect(asked()).toEqual([100, 101, 102]);
  expect(text()).toBe('row 102');
});

test('a pane out of sight asks nothing, keeps what it showed, and asks for where the focus is by then', async () => {
  const { pane, asked, go, text } = await begin({});
  await pane.rerender({ visible: false });
  await go(101);
  await go(102);
  expect(asked()).toEqual([100]);
  expect(text()).toBe('row 100');
  await pane.rerender({ visible: true });
  await rest();
  expect(asked()).toEqual([100, 102]);
  expect(text()).toBe('row 102');
});

test('a pane that was never in sight has asked nothing, and one that comes back to the same place asks nothing again', async () => {
  const { pane, asked, go } = await begin({ visible: false });
  expect(asked()).toEqual([]);
  await pane.rerender({ visible: true });
  await rest();
  await pane.rerender({ visible: false });
  await pane.rerender({ visible: true });
  await rest();
  expect(asked()).toEqual([100]);
  await go(7);
  expect(asked()).toEqual([100, 7]);
});

test('a calm view asks the first time at once, then only for where motion came to rest, and is pending until then', async () => {
  const { asked, go, text, busy } = await begin({ calm: true });
  expect(asked()).toEqual([100]);
  for (const at of [101, 102, 103]) {
    await go(at);
    vi.advanceTimersByTime(calm_after - 1);
  }
  expect(asked()).toEqual([100]);
  expect(busy()).toBe(true);
  vi.advanceTimersByTime(1);
  await rest();
  expect(asked()).toEqual([100, 103]);
  expect(text()).toBe('row 103');
  expect(busy()).toBe(false);
});

test('what a calm view had not asked when it went out of sight is asked when it is back', async () => {
  const { pane, asked, go, text } = await begin({ calm: true });
  await go(101);
  await pane.rerender({ visible: false });
  vi.advanceTimersByTime(10 * calm_after);
  await rest();
  expect(asked()).toEqual([100]);
  await pane.rerender({ visible: true });
  await rest();
  vi.advanceTimersByTime(calm_after);
  await rest();
  expect(asked()).toEqual([100, 101]);
  expect(text()).toBe('row 101');
});

test('steps are written into the address when they rest; a jump at once, after the step before it', () => {
  const written: string[] = [];
  const replace = vi.spyOn(history, 'replaceState').mockImplementation((_, __, url) => void written.push(`replace ${url}`));
  const push = vi.spyOn(history, 'pushState').mockImplementation((_, __, url) => void written.push(`push ${url}`));
  const bar = new AddressBar();
  bar.show('#at=1', true);
  bar.show('#at=2', true);
  expect(written).toEqual([]);
  vi.advanceTimersByTime(written_after);
  expect(written).toEqual(['replace #at=2']);
  bar.show('#at=3', true);
  bar.show('#at=900', false);
  expect(written.slice(1)).toEqual(['replace #at=3', 'push #at=900']);
  bar.show('#at=901', true);
  bar.drop(); // somebody wrote there
  vi.advanceTimersByTime(10 * written_after);
  expect(written).toHaveLength(3);
  replace.mockRestore();
  push.mockRestore();
});
