// Writes of the datum that is looked at, back and on in time: for memory, registers and rights of pages alike.
import { asRpcError, code } from '../rpc/errors';
import type { Focus, Methods } from '../rpc/interface';
import type { Command } from './commands.svelte';
import { datum_text, type Datum } from './datum';
import { eye } from './here.svelte';
import type { Session } from './session.svelte';

/** The question for whoever wrote it last before `focus`. */
export function who_wrote_it(datum: Datum, focus: Focus): Methods['who_wrote']['parameters'] {
  const from = eye(focus, datum.vtl);
  switch (datum.kind) {
    case 'memory':
      return { focus: from, what: 'memory', space: datum.space, address: datum.address, length: datum.length };
    case 'register':
      return { focus: from, what: 'register', register: datum.name };
    case 'page':
      return { focus: from, what: 'slat', address: datum.gpa };
  }
}

/** The temporary breakpoint that the next write meets; rights of pages have events instead. */
export function watchpoint_for(datum: Datum, focus: Focus): Methods['breakpoint.set']['parameters'] | undefined {
  const there = datum.vtl === focus.vtl ? {} : { vtl: datum.vtl };
  switch (datum.kind) {
    case 'memory':
      return { kind: 'write', what: `${datum.space}:${datum.address}+${datum.length.toString(16)}`, temporary: true, ...there };
    case 'register':
      return { kind: 'register', what: datum.name, temporary: true, ...there };
    case 'page':
      return undefined;
  }
}

/** The events that change rights to a page. */
export function protection_query(gpa: string): string {
  return `kind == ProtectionChange and a <= ${gpa} and ${gpa} < a + b * 0x1000`;
}

/** To just before the instruction that wrote it last. False: it did not move, and why was said. */
export async function to_previous_write(session: Session, datum: Datum): Promise<boolean> {
  if (session.moving !== undefined) return false;
  const text = datum_text(datum);
  session.moving = `looking for the last write of ${text}`;
  let answer: Methods['who_wrote']['result'];
  try {
    answer = await session.call('who_wrote', who_wrote_it(datum, session.focus));
  } catch (error) {
    const problem = asRpcError(error);
    if (problem.code !== code.disconnected) session.say(problem.message, 'warning');
    return false;
  } finally {
    session.moving = undefined;
  }
  if (!answer.found || answer.at === undefined) {
    session.say(answer.text === '' ? `Nothing wrote ${text} before.` : `No write of ${text} before: ${answer.text}`);
    return false;
  }
  session.say(`${text}: ${answer.text}`);
  const { at, vp, vtl } = answer.at;
  return session.go({ at, vp, vtl });
}

/** On to just after the next write. Other breakpoints on the way stop it too. */
export async function to_next_write(session: Session, datum: Datum): Promise<boolean> {
  if (session.moving !== undefined) return false;
  const watchpoint = watchpoint_for(datum, session.focus);
  if (watchpoint === undefined) return datum.kind === 'page' && session.run({ until: protection_query(datum.gpa) });
  let id: number;
  try {
    id = (await session.call('breakpoint.set', watchpoint)).breakpoint.id;
  } catch (error) {
    session.say(asRpcError(error).message, 'warning');
    return false;
  }
  const moved = await session.run({});
  const met = moved && session.stop?.breakpoints.includes(id) === true;
  if (!met) await session.call('breakpoint.remove', { id }).catch(() => undefined); // it went, or the connection did
  if (moved && session.stop?.reason === 'end') session.say(`No later write of ${datum_text(datum)} is known.`);
  return moved;
}

export function datum_commands(session: Session): Command[] {
  const enabled = () => session.ready && session.datum !== undefined && session.moving === undefined;
  return [
    {
      id: 'datum.previous_write',
      title: 'Back to the last write of what is selected',
      group: 'Motion',
      keys: ['<'],
      enabled,
      run: () => to_previous_write(session, session.datum!),
    },
    {
      id: 'datum.next_write',
      title: 'On to the next write of what is selected',
      group: 'Motion',
      keys: ['>'],
      enabled,
      run: () => to_next_write(session, session.datum!),
    },
  ];
}
