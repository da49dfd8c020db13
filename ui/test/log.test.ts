import { cleanup, fireEvent, render, screen, within } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { arguments_text, code_text, event_cell, skcall_frame } from '../src/panels/log/event_text';
import Log from '../src/panels/log/Log.svelte';
import { export_text, import_text, merge, remember } from '../src/panels/log/saved';
import { event_answers, event_of, settle, with_height } from './events';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

beforeEach(() => {
  localStorage.clear();
  with_height(422);
});
afterEach(cleanup);

async function open(events = Array.from({ length: 1000 }, (_, i) => event_of(i))) {
  const session = new FakeSession(event_answers(events) as never);
  session.focus = { at: 5000, vp: 0, vtl: 0 };
  const desk = fake_desk();
  render(InWorkspace, { props: { desk, of: Log as never, props: { session: session.session, parameters: {} } } });
  await settle();
  return { session, desk };
}
const grid = () => screen.getByRole('grid', { name: 'Events' });
const rows = () => within(grid()).getAllByRole('row').slice(1);
const selected = () => rows().find((row) => row.getAttribute('aria-selected') === 'true');
const number_of = (row: HTMLElement | undefined) => row?.querySelector('[role=gridcell]')?.textContent;

describe('the list', () => {
  test('shows the row of the focus in its middle, and only rows in sight are in the page', async () => {
    await open();
    expect(rows().length).toBeLessThan(30);
    expect(number_of(selected())).toBe('500');
    expect(selected()?.getAttribute('aria-current')).toBe('step');
    expect(grid().getAttribute('aria-rowcount')).toBe('1001');
  });

  test('the selection follows the focus, and Enter jumps', async () => {
    const { session } = await open();
    session.focus = { at: 5020, vp: 0, vtl: 0 };
    await settle();
    expect(number_of(selected())).toBe('502');
    await fireEvent.keyDown(grid(), { key: 'ArrowDown' });
    await fireEvent.keyDown(grid(), { key: 'Enter' });
    expect(session.went).toEqual([{ at: 5030, vp: 0, vtl: 1 }]);
  });

  test('who scrolled away stays there, and is told where the focus went', async () => {
    const { session } = await open();
    await fireEvent.keyDown(grid(), { key: 'Home' });
    await settle();
    session.focus = { at: 7000, vp: 0, vtl: 0 };
    await settle();
    expect(number_of(selected())).toBe('0');
    await fireEvent.click(screen.getByRole('button', { name: /focus is at row 700/ }));
    await settle();
    expect(number_of(selected())).toBe('700');
    expect(screen.queryByRole('button', { name: /focus is at row/ })).toBeNull();
  });

  test('events that come while the run goes on move nothing: a pill counts them', async () => {
    const events = Array.from({ length: 1000 }, (_, i) => event_of(i));
    const { session } = await open(events);
    const before = rows().map((row) => row.textContent);
    events.push(event_of(1000), event_of(1001), event_of(1002));
    session.end += 100;
    await settle();
    expect(rows().map((row) => row.textContent)).toEqual(before);
    await fireEvent.click(screen.getByRole('button', { name: /3 new events/ }));
    await settle();
    expect(number_of(selected())).toBe('1,002');
    expect(screen.queryByRole('button', { name: /new events/ })).toBeNull();
  });

  test('names of guests are text, and show what they hide', async () => {
    await open([event_of(0, { name: `${hostile}\u202egpj.exe`, outcome: '\u001b[2J', place: { address: '0x0', text: hostile } })]);
    const { textContent } = rows()[0]!;
    expect(textContent).toContain('<img src=x');
    expect(textContent).toContain('\\u{202e}gpj.exe');
    expect(textContent).toContain('\\u{1b}[2J');
    expect(document.querySelector('img')).toBeNull();
    expect((globalThis as { broken?: number }).broken).toBeUndefined();
  });
});

describe('the query', () => {
  test('a box writes it, and the rows are those that it takes', async () => {
    const { session } = await open();
    await fireEvent.click(screen.getByRole('checkbox', { name: 'Hypercalls' }));
    await settle();
    expect(session.query).toBe('kind == Hypercall');
    expect(screen.getByRole('status', { name: '' }).textContent).toContain('500 found');
    expect(number_of(selected())).toBe('500');
    expect(rows().every((row) => row.textContent!.includes('Hypercall'))).toBe(true);
  });

  test('a mistake is marked where it is, and the rows stay', async () => {
    const { session } = await open();
    session.query = 'a + bad';
    await settle();
    const alert = screen.getByRole('alert');
    expect(alert.textContent).toMatch(/column 5:.*'bad' is nothing/s);
    expect(alert.querySelector('mark')?.textContent).toBe('b');
    expect(screen.getByRole('combobox').getAttribute('aria-invalid')).toBe('true');
    expect(rows().length).toBeGreaterThan(10);
    expect(session.parameters_of('events.slice').filter((one) => one['query'] === 'a + bad').length).toBe(1); // not again and again
    session.query = '';
    await settle();
    expect(screen.queryByRole('alert')).toBeNull();
  });

  test('words are offered and taken by keys; Enter asks', async () => {
    const { session } = await open();
    const box = screen.getByRole('combobox') as HTMLInputElement;
    await fireEvent.input(box, { target: { value: 'kind == Hyp' } });
    expect(screen.getAllByRole('option').map((option) => option.firstChild?.textContent)).toEqual(['Hypercall', 'HypervisorLaunched']);
    await fireEvent.keyDown(box, { key: 'ArrowDown' });
    await fireEvent.keyDown(box, { key: 'Enter' });
    expect(box.value).toBe('kind == Hypercall ');
    expect(session.query).toBe('');
    await settle();
    await fireEvent.keyDown(box, { key: 'Escape' });
    await fireEvent.keyDown(box, { key: 'Enter' });
    expect(session.query).toBe('kind == Hypercall');
  });

  test('it becomes breakpoints where it names kinds', async () => {
    const { session } = await open();
    const button = () => screen.getByRole('button', { name: 'Break on it' }) as HTMLButtonElement;
    expect(button().disabled).toBe(true);
    session.answers['breakpoint.set'] = () => ({ breakpoint: {} }) as never;
    session.query = 'kind == Hypercall and vtl == 0';
    await settle();
    await fireEvent.click(button());
    await settle();
    expect(session.parameters_of('breakpoint.set')).toEqual([{ kind: 'event', what: 'hypercall', condition: 'vtl == 0' }]);
  });
});

test('a program that does not serve the rows is told with words', async () => {
  const session = new FakeSession({});
  render(InWorkspace, { props: { desk: fake_desk(), of: Log as never, props: { session: session.session, parameters: {} } } });
  await settle();
  expect(screen.getByRole('alert').textContent).toContain('Not implemented');
  expect(session.parameters_of('events.slice').length).toBe(1);
});

test('the detail shows the frame of a secure call when somebody opens it', async () => {
  const { session } = await open();
  await fireEvent.keyDown(grid(), { key: 'ArrowDown' });
  await settle();
  expect(session.parameters_of('registers')).toEqual([]);
  const details = screen.getByText(/SKCALL frame/).closest('details')!;
  details.open = true;
  await fireEvent(details, new Event('toggle'));
  await settle();
  expect(session.parameters_of('registers')[0]?.['focus']).toEqual({ at: 5010, vp: 0, vtl: 1 });
  const frame = screen.getByRole('table', { name: 'SKCALL frame' });
  expect(frame.textContent).toContain('1 SecureService');
  expect(frame.textContent).toContain('0x0000000000001111');
  expect(frame.textContent).toContain('0x0000000000002222');
});

describe('cells', () => {
  test.each([
    ['Hypercall', '0x100000050', '0x0050'],
    ['VtlCall', '0xd00001', '0x00d0'],
    ['VtlCall', '0xffff900000000000', ''],
    ['SystemCall', '0x80000003', '0x80000003'],
    ['Exception', '0xd', '0x0d'],
    ['MsrWrite', '0x40000001', '0x40000001'],
    ['DebugPrint', '0x0', ''],
  ])('the code of %s %s is %j', (kind, a, text) => expect(code_text(event_of(0, { kind, a }))).toBe(text));

  test('reps stand in a column of their own', () => {
    expect(arguments_text(event_of(0))).toBe('target_vtl=1');
    expect(event_cell(event_of(0), 'reps').text).toBe('3/4');
  });
  test('a status is coloured and in words', () => {
    expect(event_cell(event_of(0), 'status')).toMatchObject({ text: 'Success', look: 'good' });
    expect(event_cell(event_of(1), 'status')).toMatchObject({ text: 'InvalidParameter (0x5)', look: 'bad' });
  });
  test('long arguments are cut in a cell', () => {
    const many = Array.from({ length: 10_000 }, (_, i) => ({ name: `a${i}`, value: 'x'.repeat(50) }));
    expect(arguments_text(event_of(0, { arguments: many })).length).toBeLessThan(500);
  });
  test('a frame needs all its registers', () => {
    expect(skcall_frame((name) => (name === 'rbx' ? '0x1' : undefined))).toBeUndefined();
    expect(skcall_frame(() => undefined)).toBeUndefined();
  });
});

describe('kept queries', () => {
  test('a file that was written is read back', () => {
    const saved = [{ name: 'refused', query: 'status != 0' }];
    expect(import_text(export_text(saved))).toEqual(saved);
  });
  test.each(['', '[]', '{"kind":"other"}', '{"kind":"airlock queries","version":2,"queries":[]}', '{"kind":"airlock queries","version":1,"queries":[{"name":1}]}'])(
    'a file of %j is refused with a reason',
    (text) => expect(() => import_text(text)).toThrow(/file/i),
  );
  test('the later of one name stays, and former queries are kept once', () => {
    expect(merge([{ name: 'a', query: '1' }], [{ name: 'a', query: '2' }])).toEqual([{ name: 'a', query: '2' }]);
    expect(remember(['a', 'b'], 'b')).toEqual(['b', 'a']);
    expect(remember(['a'], ' ')).toEqual(['a']);
  });
});
