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
const most_registers = 4;

/** @4711 an instant; #12 a row of the log; ?x an expression; a link; else an address, or the name of a register, symbol, call or service. */
export async function destinations(text: string, workspace: Workspace): Promise<Destination[]> {
  const wanted = text.trim();
  const session = workspace.session;
  const rest = wanted.slice(1).replace(/[\s,_]/g, '');
  try {
    if (wanted.startsWith('@')) return /^[0-9]{1,16}$/.test(rest) ? [instant(session, Number(rest))] : [];
    if (wanted.startsWith('#')) return /^[0-9]{1,10}$/.test(rest) ? await row(session, Number(rest)) : [];
    if (wanted.startsWith('?')) return await expression(session, wanted.slice(1).trim());
    if (/^https?:.*#./.test(wanted)) return [link(workspace, wanted)];
    const address = parse_address(wanted);
    if (address !== undefined) return addresses(workspace, hex(address));
    if (!/^[\w!*?:$@<>~]{2,}$/.test(wanted)) return [];
    return [...(await registers(workspace, wanted)), ...(await symbols(workspace, wanted)), ...events(workspace, wanted)];
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

function link(workspace: Workspace, text: string): Destination {
  return { title: 'Look where this link looks', note: 'link', run: () => workspace.follow_link(text.slice(text.indexOf('#'))) };
}

/** Registers of the VTL that is looked at, MSRs among them. */
async function registers(workspace: Workspace, text: string): Promise<Destination[]> {
  const { session, dock } = workspace;
  const { registers: all } = await session.call('registers', { focus: session.focus });
  const named = all.filter((register) => register.name.includes(text.toLowerCase())).slice(0, most_registers);
  return named.map(({ name, value, group }) => ({
    title: `${name} = ${value}`,
    note: `${group} register, VTL ${session.focus.vtl}`,
    run: () => {
      session.datum = { kind: 'register', name, vtl: session.focus.vtl };
      dock?.open('registers');
    },
  }));
}

/** Hypercalls, services, exceptions, images: whatever the log calls so. */
function events(workspace: Workspace, text: string): Destination[] {
  const { session, dock } = workspace;
  if (!/^\w+$/.test(text)) return [];
  const query = `name ~ "*${text}*"`;
  const show = () => {
    session.query = query;
    dock?.open('log');
  };
  return [
    { title: `Events named *${text}*`, note: 'in the log', run: show },
    { title: `Next event named *${text}*`, note: 'runs there', run: () => session.run({ until: query, breakpoints: false }) },
    { title: `Previous event named *${text}*`, note: 'runs back', run: () => session.run({ back: true, until: query, breakpoints: false }) },
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
