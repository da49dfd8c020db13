// What can be done with an address: followed, asked about, watched, copied. Menus of all panes offer these.
import { look_at_code } from '../core/code_panes';
import type { Datum, Space } from '../core/datum';
import { hex } from '../core/text';
import type { Session } from '../core/session.svelte';
import type { Workspace } from '../core/workspace.svelte';
import { asRpcError, code, type RpcError } from '../rpc/errors';
import type { Methods, Stop } from '../rpc/interface';
import { cells_of } from './memory_cells';
import { copy_as, copy_forms, to_clipboard, type CopyForm } from './copy_as';
import type { MenuItem } from './menu';

/** Bytes somewhere. */
export interface Target {
  space: Space;
  /** "0x..." */
  address: string;
  vtl: number;
  /** 8 if absent. */
  length?: number;
  /** With the tables of this process. */
  process?: string | undefined;
  /** Known to be code, or known not to be; absent: asked. */
  code?: boolean | undefined;
}

/** The part of the workspace that is needed here. */
export type Desk = Pick<Workspace, 'dock' | 'announce'>;

const page_mask = 0xfffn;

export function datum_of(target: Target): Datum {
  return { kind: 'memory', space: target.space, address: target.address, length: target.length ?? 8, vtl: target.vtl };
}

/** As breakpoint.set has it: the length in hexadecimal digits alone. */
export function watch_text(target: Target): string {
  return `${target.space}:${target.address}+${(target.length ?? 8).toString(16)}`;
}

function at_process(target: Target): { process?: string } {
  return target.space === 'gva' && target.process !== undefined ? { process: target.process } : {};
}

/** A virtual address of the other VTL is met there only. */
function in_vtl(session: Session, target: Target): { vtl?: number } {
  return target.space === 'gva' && target.vtl !== session.focus.vtl ? { vtl: target.vtl } : {};
}

function open(session: Session, desk: Desk, panel: string, parameters?: Record<string, unknown>): void {
  desk.dock?.open(panel, parameters, session.number !== 0);
}

/** Words for what went wrong, where no pane would show it. */
function tell(session: Session, error: unknown): void {
  const problem: RpcError = asRpcError(error);
  if (problem.code !== code.disconnected) session.say(problem.message, 'warning');
}

// --- looking

/** Code goes to the code pane, all else to memory; the datum is the address in either case. */
export async function follow(session: Session, desk: Desk, target: Target): Promise<void> {
  session.datum = datum_of(target);
  if (target.code ?? (await is_code(session, target))) follow_in_code(session, desk, target);
  else open(session, desk, 'memory');
}

/** Somebody may execute there, and it lies in an image. */
async function is_code(session: Session, target: Target): Promise<boolean> {
  if (target.space !== 'gva') return false;
  const focus = session.looking({ vtl: target.vtl });
  try {
    const [walk, named] = await Promise.all([
      session.call('walk', { focus, address: target.address, access: 'execute', ...at_process(target) }),
      session.call('symbols.at', { focus, address: target.address }),
    ]);
    return walk.granted && named.place.module !== undefined;
  } catch {
    return false; // memory is shown, and says what is wrong there
  }
}

export function follow_in_code(session: Session, desk: Desk, target: Target): void {
  session.datum = datum_of(target);
  look_at_code(desk, session, target.address, target.vtl);
}

export function open_new(session: Session, desk: Desk, target: Target): void {
  const { space, address, vtl } = target;
  if (target.code === true) open(session, desk, 'code', { address, vtl });
  else open(session, desk, 'memory', { space, address, vtl, ...at_process(target) });
}

export function show_walk(session: Session, desk: Desk, target: Target): void {
  session.datum = datum_of(target);
  open(session, desk, 'walk');
}

/** In the map of the second stage: of a GVA the page that it leads to now. */
export async function show_in_map(session: Session, desk: Desk, target: Target): Promise<void> {
  try {
    const gpa = await gpa_of(session, target);
    if (gpa === undefined) return session.say(`${target.space.toUpperCase()} ${target.address} leads to no guest physical address.`, 'warning');
    session.datum = { kind: 'page', gpa: hex(BigInt(gpa) & ~page_mask), vtl: target.vtl };
    open(session, desk, 'slat');
  } catch (error) {
    tell(session, error);
  }
}

async function gpa_of(session: Session, target: Target): Promise<string | undefined> {
  if (target.space === 'gpa') return target.address;
  const focus = session.looking({ vtl: target.vtl });
  if (target.space === 'gva') return (await session.call('walk', { focus, address: target.address, access: 'read', ...at_process(target) })).gpa;
  return (await session.call('about', { focus, number: target.address, space: 'spa' })).gpa;
}

// --- time

/** To the instant before it was written last. */
export async function who_wrote(session: Session, target: Target): Promise<void> {
  session.datum = datum_of(target);
  const { space, address } = target;
  await to_writer(session, target.vtl, { what: 'memory', space, address, length: target.length ?? 8, ...at_process(target) });
}

/** The same for anything that can be written: entries, rights, registers. A long search is a motion that can be interrupted. */
export async function to_writer(session: Session, vtl: number, question: Omit<Methods['who_wrote']['parameters'], 'focus'>): Promise<void> {
  if (session.moving !== undefined) return;
  session.moving = 'looking for who wrote it';
  let answer: Methods['who_wrote']['result'] | undefined;
  try {
    answer = await session.call('who_wrote', { focus: session.looking({ vtl }), ...question });
    session.say(answer.text === '' ? 'Nobody wrote it before this instant.' : answer.text);
  } catch (error) {
    tell(session, error);
  } finally {
    session.moving = undefined;
  }
  if (answer?.found && answer.at !== undefined) await session.go({ at: answer.at.at, vp: answer.at.vp, vtl: answer.at.vtl });
}

export async function next_write(session: Session, target: Target): Promise<void> {
  await run_to(session, target, 'write', false);
}

export async function next_access(session: Session, target: Target, back: boolean): Promise<void> {
  await run_to(session, target, 'access', back);
}

/** A watchpoint for one motion. Other breakpoints may end that motion before; then it goes unused. */
async function run_to(session: Session, target: Target, kind: 'write' | 'access', back: boolean): Promise<void> {
  session.datum = datum_of(target);
  try {
    const { breakpoint } = await session.call('breakpoint.set', { kind, what: watch_text(target), temporary: true, ...at_process(target), ...in_vtl(session, target) });
    const moved = await session.run(back ? { back } : {});
    const stop: Stop | undefined = moved ? session.stop : undefined;
    if (stop?.breakpoints.includes(breakpoint.id)) return;
    await session.call('breakpoint.remove', { id: breakpoint.id });
    const wanted = kind === 'write' ? 'write to' : 'access to';
    if (stop) session.say(`No ${wanted} ${target.space.toUpperCase()} ${target.address} before this: ${stop.text}`);
  } catch (error) {
    tell(session, error);
  }
}

export async function break_on_write(session: Session, target: Target): Promise<void> {
  try {
    const { breakpoint } = await session.call('breakpoint.set', { kind: 'write', what: watch_text(target), ...at_process(target), ...in_vtl(session, target) });
    session.say(`Breakpoint ${breakpoint.id}: writes to ${breakpoint.text}.`);
  } catch (error) {
    tell(session, error);
  }
}

// --- copying

/** Bytes that a copy of an address takes along, where its form has any. */
const copied = 64;

export async function copy(session: Session, desk: Desk, target: Target, form: CopyForm): Promise<void> {
  const needs_bytes = copy_forms.find((each) => each.form === form)?.needs_bytes ?? false;
  const length = target.length ?? copied;
  const piece = { space: target.space, vtl: target.vtl, address: BigInt(target.address), length };
  try {
    if (!needs_bytes) return await put(session, desk, copy_as(form, piece));
    const { parts } = await session.call('memory.read', {
      focus: session.looking({ vtl: target.vtl }),
      space: target.space,
      address: target.address,
      length,
      ...at_process(target),
    });
    await put(session, desk, copy_as(form, { ...piece, cells: cells_of(parts, length) }));
  } catch (error) {
    tell(session, error);
  }
}

export async function put(session: Session, desk: Desk, text: string): Promise<void> {
  if (await to_clipboard(text)) desk.announce(text.length <= 80 ? `Copied: ${text}` : 'Copied.');
  else session.say('The browser refused to copy.', 'warning');
}

// --- the menu

/** What an address offers; what cannot be done now says why. */
export function address_menu(session: Session, desk: Desk, target: Target): MenuItem[] {
  const no_walk = target.space === 'gva' ? undefined : 'only a virtual address is translated in two stages';
  const no_code = target.space === 'gva' ? undefined : 'code is shown by virtual address';
  const busy = session.moving === undefined ? undefined : `first let this end: ${session.moving}`;
  return [
    { label: 'Follow', keys: 'Enter', run: () => follow(session, desk, target) },
    { label: 'Open in a new pane', keys: 'middle click', run: () => open_new(session, desk, target) },
    { label: 'Follow in code', why_not: no_code, run: () => follow_in_code(session, desk, target) },
    { label: 'Page walk', why_not: no_walk, run: () => show_walk(session, desk, target) },
    { label: 'Page in the SLAT map', run: () => show_in_map(session, desk, target) },
    'line',
    { label: 'Who wrote it', why_not: busy, run: () => who_wrote(session, target) },
    { label: 'Next write', why_not: busy, run: () => next_write(session, target) },
    { label: 'Next access', why_not: busy, run: () => next_access(session, target, false) },
    { label: 'Previous access', why_not: busy, run: () => next_access(session, target, true) },
    { label: 'Break on write', run: () => break_on_write(session, target) },
    'line',
    ...copy_forms.map(({ form, title }) => ({ label: `Copy as ${title}`, run: () => copy(session, desk, target, form) })),
  ];
}
