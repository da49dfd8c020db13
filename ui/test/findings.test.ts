import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, expect, test } from 'vitest';
import Findings from '../src/panels/findings/Findings.svelte';
import Output from '../src/panels/output/Output.svelte';
import type { Finding } from '../src/rpc/interface';
import { event_answers, event_of, settle, with_height } from './events';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

beforeEach(() => with_height(400));
afterEach(cleanup);

async function open(of: unknown, session: FakeSession): Promise<void> {
  render(InWorkspace, { props: { desk: fake_desk(), of: of as never, props: { session: session.session, parameters: {} } } });
  await settle(60);
}
const rows = () => within(screen.getByRole('grid')).getAllByRole('row').slice(1);

const finding: Finding = { id: 'f1', oracle: 'vtl0-writes-secure-page', call: 'ModifyVtlProtectionMask(…)', text: 'VTL 0 wrote.', at: 5000, recording: 'run.air', opened: false };
const list: Finding[] = [
  finding,
  { id: `f2 ${hostile}\u202e`, oracle: 'unreadable', call: '', text: 'finding.json is no file', opened: false },
  { ...finding, id: 'f3', recording: undefined as never, opened: true },
];

test('a finding opens a little before its violation', async () => {
  const session = new FakeSession({ findings: () => ({ findings: list, folder: 'out' }), open: () => ({ stop: { focus: { at: 4900, vp: 0, vtl: 0 } } }) as never });
  await open(Findings, session);
  await fireEvent.keyDown(screen.getByRole('grid'), { key: 'Home' });
  await fireEvent.keyDown(screen.getByRole('grid'), { key: 'Enter' });
  await settle();
  expect(session.parameters_of('open')).toEqual([{ finding: 'f1' }]);
  expect(session.said[0]).toContain('4,900');
});

test('what cannot be read, or has no run, says so and does not open', async () => {
  const session = new FakeSession({ findings: () => ({ findings: list, folder: 'out' }) });
  await open(Findings, session);
  expect(rows().map((row) => row.querySelector('[role=gridcell]')?.textContent)).toEqual(['', '✕ broken', '● open']);
  for (const number of [1, 2]) {
    await fireEvent.click(rows()[number]!);
    expect((screen.getByRole('button', { name: 'Open its run' }) as HTMLButtonElement).disabled).toBe(true);
    expect(document.body.textContent).toContain(number === 1 ? 'It cannot be read: finding.json is no file' : 'no recording');
    await fireEvent.keyDown(screen.getByRole('grid'), { key: 'Enter' });
  }
  expect(session.parameters_of('open')).toEqual([]);
  expect(document.querySelector('img')).toBeNull();
  expect(document.body.textContent).toContain('\\u{202e}');
});

test.each([
  [undefined, '--findings'],
  ['out', 'holds no findings'],
])('without findings (folder %s) it says %s', async (folder, text) => {
  await open(Findings, new FakeSession({ findings: () => ({ findings: [], ...(folder === undefined ? {} : { folder }) }) }));
  expect(screen.getByRole('status').textContent).toContain(text);
});

test('a program without findings says so', async () => {
  await open(Findings, new FakeSession({}));
  expect(screen.getByRole('alert').textContent).toContain('Not implemented');
});

test('what guests printed leads to its instant', async () => {
  const events = Array.from({ length: 20 }, (_, i) => event_of(i, { kind: i % 2 === 0 ? 'DebugPrint' : 'Milestone', name: `line ${i} ${hostile}\u001b[2J` }));
  const session = new FakeSession(event_answers(events) as never);
  session.focus = { at: 55, vp: 0, vtl: 0 };
  await open(Output, session);
  expect(rows().length).toBe(20);
  const chosen = rows().find((row) => row.getAttribute('aria-selected') === 'true');
  expect(chosen?.textContent).toContain('line 6');
  expect(chosen?.textContent).toContain('\\u{1b}[2J');
  await fireEvent.dblClick(rows()[3]!);
  expect(session.went).toEqual([{ at: 30, vp: 0, vtl: 1 }]);
  await fireEvent.click(screen.getByRole('checkbox', { name: 'Milestones' }));
  await settle();
  expect(rows().length).toBe(10);
  expect(document.querySelector('img')).toBeNull();
});

test('lines that are heard of live are there at once', async () => {
  const events = [event_of(1, { kind: 'DebugPrint', name: 'first' })];
  const session = new FakeSession(event_answers(events) as never);
  await open(Output, session);
  events.push(event_of(2, { kind: 'DebugPrint', name: 'second' }));
  session.output = ['second\n'];
  await settle();
  expect(rows().map((row) => row.textContent?.includes('second'))).toEqual([false, true]);
});

test('a program that lists no events by row still shows what was heard', async () => {
  const session = new FakeSession({});
  session.output = ['heard\n'];
  await open(Output, session);
  expect(screen.getByRole('log').textContent).toContain('heard');
});
