import { cleanup, fireEvent, render, screen } from '@testing-library/svelte';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import Calls from '../src/panels/calls/Calls.svelte';
import { build, exclusive, functions_of, inclusive, path_to, rows_of } from '../src/panels/calls/tree';
import type { CallNode, Frame } from '../src/rpc/interface';
import { event_answers, event_of, settle, with_height } from './events';
import { fake_desk, FakeSession, hostile } from './fake_session.svelte';
import InWorkspace from './InWorkspace.svelte';

const call = (at: number, end: number | undefined, depth: number, name: string, more: Partial<CallNode> = {}): CallNode =>
  ({ at, ...(end === undefined ? {} : { end }), vp: 0, depth, from_vtl: depth % 2, to_vtl: 1 - (depth % 2), kind: depth % 2 === 0 ? 'vtl_call' : 'vtl_return', name, text: `${name}(x=1) = Success`, ...more }) as CallNode;
const list = [
  call(100, 200, 0, 'CreateProcess'),
  call(120, 160, 1, 'AllocateVirtualMemory'),
  call(130, 150, 2, 'Nested'),
  call(170, 170, 1, 'ModifyVtlProtectionMask', { from_vtl: 1, to_vtl: 1, kind: 'hypercall' }),
  call(300, 400, 0, 'CloseHandle'),
  call(350, undefined, 0, 'Waits', { vp: 1 }),
];
const frame = (vtl: number, symbol: string): Frame => ({
  index: 0, vtl, ring: 0, pc: { address: '0x1', module: vtl === 0 ? 'nt' : 'securekernel', symbol, text: '' }, sp: '0x0', entered: 'call', trusted: true,
});

describe('the tree', () => {
  const roots = build(list);
  const names = (at: number, vp = 0) => path_to(roots, { at, vp, vtl: 0 }).map((node) => node.call.name);

  test('is nested as the calls were, by processor', () => {
    expect(roots.map((node) => node.call.name)).toEqual(['CreateProcess', 'CloseHandle', 'Waits']);
    expect(roots[0]!.children.map((node) => node.call.name)).toEqual(['AllocateVirtualMemory', 'ModifyVtlProtectionMask']);
  });
  test('the path leads to the innermost call that the processor is in', () => {
    expect(names(140)).toEqual(['CreateProcess', 'AllocateVirtualMemory', 'Nested']);
    expect(names(200)).toEqual(['CreateProcess']);
    expect(names(250)).toEqual([]);
    expect(names(360, 1)).toEqual(['Waits']);
  });
  test('what a call took without the calls inside it', () => {
    expect([inclusive(roots[0]!), exclusive(roots[0]!)]).toEqual([100, 60]);
    expect(inclusive(roots[2]!)).toBeUndefined();
  });
  test('folding never hides where the focus is', () => {
    const path = path_to(roots, { at: 140, vp: 0, vtl: 1 });
    for (const folded of path) {
      const rows = rows_of({ roots, path, folds: new Map([[folded.key, false]]), callers: new Map(), here: '', at: 140 });
      expect(rows.filter((row) => row.focus).map((row) => row.node)).toEqual([folded === path[2] ? path[2] : folded]);
    }
  });
  test('where the focus stands is told between the calls before it and after it', () => {
    const rows = rows_of({ roots, path: path_to(roots, { at: 165, vp: 0, vtl: 1 }), folds: new Map(), callers: new Map(), here: 'f', at: 165 });
    expect(rows.slice(0, 4).map((row) => (row.kind === 'here' ? 'here' : row.node.call.name))).toEqual([
      'CreateProcess',
      'AllocateVirtualMemory',
      'here',
      'ModifyVtlProtectionMask',
    ]);
  });
  test('keys stay the same when more is loaded', () => {
    const more = build([call(50, 60, 0, 'Before'), ...list]);
    expect(more[1]!.key).toBe(roots[0]!.key);
  });
  test('calls of one instant have keys of their own', () => {
    const same = build([list[3]!, list[3]!].map((each) => ({ ...each, depth: 0 })));
    expect(new Set(same.map((node) => node.key)).size).toBe(2);
  });
});

test('the functions of a world end where the other begins', () => {
  const frames = [frame(1, 'memset'), frame(1, 'Dispatch'), frame(0, 'VslpEnterIumSecureMode')];
  expect(functions_of(frames, 1)).toBe('securekernel!memset ← securekernel!Dispatch');
  expect(functions_of(frames, 0)).toBe('');
  expect(functions_of(Array.from({ length: 20 }, (_, i) => frame(0, `f${i}`)), 0)).toMatch(/^nt!f0 ← .* ← nt!f6 ← …$/);
});

describe('the pane', () => {
  beforeEach(() => with_height(400));
  afterEach(cleanup);

  async function open(calls: CallNode[] = list) {
    const session: FakeSession = new FakeSession({
      ...(event_answers(Array.from({ length: 60 }, (_, i) => event_of(i))) as object),
      // the second answer is whole
      calls: () => ({ calls, more: false, complete: session.parameters_of('calls').length > 1 }),
      stack: (parameters) => ({ frames: [frame(parameters.focus!.vtl, `f${parameters.focus!.at}`)], why: '' }),
    });
    session.focus = { at: 140, vp: 0, vtl: 0 };
    const desk = fake_desk();
    render(InWorkspace, { props: { desk, of: Calls as never, props: { session: session.session, parameters: {} } } });
    await settle();
    return { session, desk };
  }
  const tree = () => screen.getByRole('tree');
  const items = () => screen.getAllByRole('treeitem');
  const chosen = () => items().find((item) => item.getAttribute('aria-selected') === 'true')?.textContent ?? '';

  test('opens where the focus is', async () => {
    await open();
    expect(chosen()).toContain('Nested');
    expect(chosen()).toContain('focus');
    expect(items().map((item) => item.getAttribute('aria-level'))).toEqual(['1', '2', '3', '4', '2', '1', '1']);
    expect(items()[3]!.textContent).toContain('nt!f140');
  });

  test('names who made the calls of the open path once the focus rests', async () => {
    await open();
    await settle(400);
    const texts = items().map((item) => item.textContent?.trim());
    expect(texts[0]).toBe('nt!f100');
    expect(texts.some((text) => text === 'securekernel!f120')).toBe(true);
  });

  test('has the keyboard of a tree', async () => {
    const { session } = await open();
    const key = (name: string, more = {}) => fireEvent.keyDown(tree(), { key: name, ...more });
    await key('ArrowLeft');
    await key('ArrowLeft');
    expect(chosen()).toContain('AllocateVirtualMemory');
    await key('ArrowLeft');
    expect(chosen()).toContain('focus inside');
    expect(items().length).toBe(5);
    await key('ArrowRight');
    await key('End');
    expect(chosen()).toContain('Waits');
    expect(chosen()).toContain('did not return');
    await key('Home');
    await key('Enter', { shiftKey: true });
    expect(session.went).toEqual([{ at: 200, vp: 0, vtl: 1 }]);
  });

  test('goes to a call and shows its stack', async () => {
    const { session, desk } = await open();
    await fireEvent.click(screen.getByRole('button', { name: 'Stack here' }));
    await settle();
    expect(session.went).toEqual([{ at: 130, vp: 0, vtl: 0 }]);
    expect(desk.opened).toEqual([{ panel: 'stack', parameters: undefined }]);
  });

  test('counts cycles on demand, or says why not', async () => {
    const { session } = await open();
    await fireEvent.click(screen.getByRole('button', { name: 'Cycles' }));
    await settle();
    expect(screen.getByText(/Not implemented/)).toBeTruthy();
    session.answers.cycles = () => ({ cycles: 1234, rows: [{ cells: ['walks', '1000', '81 %'] }] });
    await fireEvent.click(screen.getByRole('button', { name: 'Cycles' }));
    await settle();
    expect(session.parameters_of('cycles').at(-1)).toEqual({ from: 130, to: 150 });
    expect(screen.getByText('1,234 cycles')).toBeTruthy();
  });

  test('asks for nothing while the focus moves inside what is loaded', async () => {
    const { session } = await open();
    const before = session.parameters_of('calls').length;
    for (let at = 130; at < 150; ++at) session.focus = { at, vp: 0, vtl: 0 };
    await settle();
    expect(session.parameters_of('calls').length).toBe(before);
  });

  test('asks again until the calls around the window are known, and when a run goes on beyond it', async () => {
    const { session } = await open();
    expect(session.parameters_of('calls').length).toBe(2);
    session.end = 5000;
    session.focus = { at: 3000, vp: 0, vtl: 0 };
    await settle();
    expect(session.parameters_of('calls').length).toBe(3);
  });

  test('names of guests are text', async () => {
    await open([call(100, 200, 0, `${hostile}\u202e`)]);
    expect(document.querySelector('img')).toBeNull();
    expect(items()[0]!.textContent).toContain('\\u{202e}');
  });
});
