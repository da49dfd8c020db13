// What the cells of an event say.
import type { Cell } from '../../parts/Grid.svelte';
import { count } from '../../core/text';
import { visible } from '../../parts/untrusted';
import type { Event } from '../../rpc/interface';
import { look_of } from './kinds';

/** Longer texts are cut in a cell: the detail has them whole. */
const longest_cell = 400;

/** The number of the call, service, vector or register; empty: such events have none. */
export function code_text(event: Event): string {
  const a = BigInt(event.a);
  switch (event.kind) {
    case 'Hypercall':
      return padded(a & 0xffffn, 4);
    case 'VtlCall': // the first bytes of SKCALL: operation, state, code
      return (a & 0xffn) === 1n ? padded((a >> 16n) & 0xffffn, 4) : '';
    case 'VtlReturn':
      return event.name !== '' && event.name !== 'finished' ? padded((a >> 16n) & 0xffffn, 4) : '';
    case 'SystemCall':
      return padded(a & 0xffffffffn, 4);
    case 'Exception':
    case 'Interrupt':
    case 'VtlInterruptEntry':
      return padded(a & 0xffn, 2);
    case 'MsrWrite':
      return padded(a, 8);
    default:
      return '';
  }
}

function padded(value: bigint, digits: number): string {
  return `0x${value.toString(16).padStart(digits, '0')}`;
}

/** "22/22": done and asked for; empty: not a rep call. */
export function reps_text(event: Event): string {
  return event.arguments.find((argument) => argument.name === 'reps')?.value ?? '';
}

export function arguments_text(event: Event): string {
  let text = '';
  for (const { name, value } of event.arguments) {
    if (name === 'reps') continue;
    text += `${text === '' ? '' : ', '}${name}=${value}`;
    if (text.length > longest_cell) break;
  }
  return visible(text, longest_cell);
}

export function succeeded(event: Event): boolean {
  return /^success\b/i.test(event.outcome);
}

export const columns = [
  { id: 'number', title: '#', width: 78, right: true },
  { id: 'at', title: 'Instant', width: 112, right: true },
  { id: 'where', title: 'VP VTL', width: 92 },
  { id: 'kind', title: 'Kind', width: 140 },
  { id: 'code', title: 'Code', width: 88 },
  { id: 'name', title: 'Name', width: 200 },
  { id: 'arguments', title: 'Arguments', width: 380 },
  { id: 'reps', title: 'Reps', width: 66, right: true },
  { id: 'status', title: 'Status', width: 150 },
  { id: 'place', title: 'Place', width: 260 },
] as const;
export type ColumnId = (typeof columns)[number]['id'];

export function event_cell(event: Event, column: string): Cell {
  switch (column as ColumnId) {
    case 'number':
      return { text: event.number === undefined ? '' : count(event.number), look: 'dim' };
    case 'at':
      return { text: count(event.at) };
    case 'where':
      return { text: `VP ${event.vp} VTL ${event.vtl}`, look: `vtl${event.vtl}` };
    case 'kind':
      return { text: visible(event.kind), look: look_of(event.kind) };
    case 'code':
      return { text: code_text(event), look: 'dim' };
    case 'name':
      return tipped(visible(event.name, longest_cell));
    case 'arguments':
      return tipped(arguments_text(event));
    case 'reps':
      return { text: visible(reps_text(event), 40) };
    case 'status':
      return event.outcome === '' ? { text: '' } : { ...tipped(visible(event.outcome, longest_cell)), look: succeeded(event) ? 'good' : 'bad' };
    case 'place':
      return { ...tipped(visible(event.place.text, longest_cell)), look: 'dim' };
  }
}

function tipped(text: string): Cell {
  return text.length > 20 ? { text, tip: text } : { text };
}

/** Words of SKCALL: RBX has the header, XMM10 to XMM15 the parameters, two each, the low half first. */
export interface SkcallWord {
  name: string;
  text: string;
  /** "0x...", where it is a value of 64 bits. */
  value?: string;
}

const operations = ['ResumeThread', 'SecureService', 'FlushTb'];

/** `value`: of a register of the VTL that calls, at the instant of the call; undefined: a register is not known. */
export function skcall_frame(value: (register: string) => string | undefined): SkcallWord[] | undefined {
  const rbx = value('rbx');
  if (rbx === undefined) return undefined;
  const header = BigInt(rbx);
  const operation = Number(header & 0xffn);
  const words: SkcallWord[] = [
    { name: 'operation', text: `${operation}${operations[operation] === undefined ? '' : ` ${operations[operation]}`}` },
    { name: 'state', text: padded((header >> 8n) & 0xffn, 2) },
    { name: 'code', text: padded((header >> 16n) & 0xffffn, 4) },
    { name: 'cookie', text: padded(header >> 32n, 8) },
  ];
  const low = (1n << 64n) - 1n;
  for (let i = 0; i < 12; ++i) {
    const register = value(`xmm${10 + (i >> 1)}`);
    if (register === undefined) return undefined;
    const half = i % 2 === 0 ? BigInt(register) & low : BigInt(register) >> 64n;
    words.push({ name: `parameter ${i} (+${padded(BigInt(8 + 8 * i), 2)})`, text: padded(half, 16), value: `0x${half.toString(16)}` });
  }
  return words;
}
