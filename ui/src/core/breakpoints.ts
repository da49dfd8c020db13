// What panes do with breakpoints, and how they are said.
import { asRpcError, type RpcError } from '../rpc/errors';
import type { Breakpoint, Methods } from '../rpc/interface';
import type { Session } from './session.svelte';

/** ● stops, ◆ stops where its condition holds, ○ is switched off, ◌ waits for its image. */
export function breakpoint_sign(breakpoint: Breakpoint): string {
  if (!breakpoint.enabled) return '○';
  if (!breakpoint.resolved) return '◌';
  return breakpoint.condition === undefined || breakpoint.condition === '' ? '●' : '◆';
}

/** One sentence, for tooltips and screen readers. */
export function breakpoint_text(breakpoint: Breakpoint): string {
  const said = [`Breakpoint ${breakpoint.id}`, breakpoint.enabled ? (breakpoint.resolved ? 'on' : breakpoint.text) : 'off'];
  if (breakpoint.condition) said.push(`where ${breakpoint.condition}`);
  said.push(breakpoint.hits === 1 ? 'met once' : `met ${breakpoint.hits} times`);
  if (breakpoint.ignore > 0) said.push(`passes over the next ${breakpoint.ignore}`);
  if (breakpoint.temporary) said.push('goes with its first hit');
  return said.join(', ');
}

/** Of the ids of a line, those that are still there. */
export function breakpoints_of(session: Session, ids: readonly number[]): Breakpoint[] {
  return ids.length === 0 ? [] : session.breakpoints.filter((breakpoint) => ids.includes(breakpoint.id));
}

/** Changes when a view that shows breakpoints has to ask again. */
export function breakpoints_state(session: Session): string {
  return session.breakpoints.map((breakpoint) => `${breakpoint.id}${breakpoint.resolved ? '' : '?'}`).join(' ');
}

/** undefined: done. Otherwise why not; the list itself comes as a notification. */
export async function set_breakpoint(session: Session, request: Methods['breakpoint.set']['parameters']): Promise<RpcError | undefined> {
  return attempt(() => session.call('breakpoint.set', request));
}
export async function change_breakpoint(session: Session, change: Methods['breakpoint.change']['parameters']): Promise<RpcError | undefined> {
  return attempt(() => session.call('breakpoint.change', change));
}
export async function remove_breakpoints(session: Session, ids: readonly number[]): Promise<RpcError | undefined> {
  return attempt(() => Promise.all(ids.map((id) => session.call('breakpoint.remove', { id }))));
}

/** Sets one at the address if there is none, else takes away all that are there. */
export async function toggle_code_breakpoint(session: Session, address: string, vtl: number, there: readonly Breakpoint[]): Promise<void> {
  const problem =
    there.length === 0
      ? await set_breakpoint(session, { kind: 'code', what: address, vtl })
      : await remove_breakpoints(session, there.map((breakpoint) => breakpoint.id));
  if (problem !== undefined) session.say(problem.message, 'warning');
}

async function attempt(call: () => Promise<unknown>): Promise<RpcError | undefined> {
  try {
    await call();
    return undefined;
  } catch (error) {
    return asRpcError(error);
  }
}

/** "rax == (column 7): a value is needed" names a column of what was typed, from 1. */
export function error_column(message: string): number | undefined {
  const found = /\bcolumn (\d{1,4})\b/.exec(message);
  return found ? Number(found[1]) : undefined;
}
