// What the palette offers besides commands: instants, rows of the log, addresses, symbols, expressions.
import { look_at_code } from '../core/code_panes';
import { hex, parse_address } from '../core/text';
import { asRpcError } from '../rpc/errors';
import type { Session } from '../core/session.svelte';
import type { Workspace } from '../core/workspace.svelte';

export interface Destination {
  title: string;
  /** What kind of thing it is, or its key. */
  note: string;
  run: () => unknown;
}

const most_symbols = 12;

/** @4711 an instant; #12 a row of the log; ?x an expression; else an address or a name. */
export async function destinations(text: string, workspace: Workspace): Promise<Destination[]> {
  const wanted = text.trim();
  const session = workspace.session;
  const rest = wanted.slice(1).replace(/[\s,_]/g, '');
  try {
    if (wanted.startsWith('@')) return /^[0-9]{1,16}$/.test(rest) ? [instant(session, Number(rest))] : [];
    if (wanted.startsWith('#')) return /^[0-9]{1,10}$/.test(rest) ? await row(session, Number(rest)) : [];
    if (wanted.startsWith('?')) return await expression(session, wanted.slice(1).trim());
    const address = parse_address(wanted);
    if (address !== undefined) return addresses(workspace, hex(address));
    return /^[\w!*?:$@<>~]{2,}$/.test(wanted) ? await symbols(workspace, wanted) : [];
  } catch (error) {
    return [{ title: asRpcError(error).message, note: 'refused', run: () => undefined }];
  }
}

function instant(session: Session, at: number): Destination {
  return { title: `Go to instant ${at.toLocaleString('en')}`, note: 'instant', run: () => session.go({ at }) };
}

async function row(session: Session, number: number): Promise<Destination[]> {
  const { events, total } = await session.call('events.slice', { first: number, count: 1 });
  const event = events[0];
  if (event === undefined) return [{ title: `There are ${total.toLocaleString('en')} events`, note: 'event', run: () => undefined }];
  return [{ title: event.text, note: `event ${number}`, run: () => session.go({ at: event.at, vp: event.vp, vtl: event.vtl }) }];
}

async function expression(session: Session, text: string): Promise<Destination[]> {
  if (text === '') return [];
  const { value, type } = await session.call('evaluate', { expression: text, focus: session.focus });
  return [{ title: value, note: type, run: () => session.say(`${text} = ${value}`) }];
}

function addresses(workspace: Workspace, address: string): Destination[] {
  const { session, dock } = workspace;
  const vtl = session.focus.vtl;
  return [
    {
      title: `Memory at ${address}`,
      note: `VTL ${vtl}`,
      run: () => {
        session.datum = { kind: 'memory', space: 'gva', address, length: 8, vtl };
        dock?.open('memory');
      },
    },
    { title: `Code at ${address}`, note: `VTL ${vtl}`, run: () => look_at_code(workspace, workspace.session, address, vtl) },
    {
      title: `Page walk of ${address}`,
      note: `VTL ${vtl}`,
      run: () => {
        session.datum = { kind: 'memory', space: 'gva', address, length: 8, vtl };
        dock?.open('walk');
      },
    },
  ];
}

async function symbols(workspace: Workspace, text: string): Promise<Destination[]> {
  const { session, dock } = workspace;
  const pattern = /[*?]/.test(text) ? text : text.includes('!') ? `${text}*` : `*${text}*`;
  const found = await session.call('symbols.find', { pattern, maximum: most_symbols, focus: session.focus });
  return found.symbols.map(({ place }) => ({
    title: place.text,
    note: place.address,
    run: () => dock?.open('code', { address: place.address, vtl: session.focus.vtl }),
  }));
}
