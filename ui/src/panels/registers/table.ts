// Registers of both VTLs as one table, with what each was before.
import type { Methods, Register } from '../../rpc/interface';

type Answer = Methods['registers']['result'];

export const groups = [
  ['general', 'General'],
  ['segment', 'Segments and tables'],
  ['control', 'Control'],
  ['debug', 'Debug'],
  ['msr', 'Model-specific'],
  ['synthetic', 'Synthetic (Hyper-V)'],
  ['sse', 'SSE'],
  ['x87', 'x87'],
] as const;
export type Group = (typeof groups)[number][0];

export interface Cell {
  value: string;
  /** As people read it, padded to the register's width. */
  text: string;
  changed: boolean;
  /** "was ... " for people; empty where nothing changed. */
  was: string;
}

export interface RegisterRow {
  name: string;
  bits: number;
  /** One value for both. */
  shared: boolean;
  /** By VTL; of a shared one only the first. */
  cells: (Cell | undefined)[];
}

/** Values of a former stop by name, for one VTL. */
export type Former = ReadonlyMap<string, string>;

export function values_of(answer: Answer): Former {
  return new Map(answer.registers.map((register) => [register.name, register.value]));
}

/** `answers` and `former` by VTL. What a VTL shares stands in one row with one value. */
export function table_of(answers: readonly (Answer | undefined)[], former: readonly (Former | undefined)[], group: Group): RegisterRow[] {
  const rows: RegisterRow[] = [];
  const by_name = new Map<string, RegisterRow>();
  answers.forEach((answer, vtl) => {
    if (answer === undefined || !answer.enabled) return;
    for (const register of answer.registers) {
      if (register.group !== group) continue;
      let row = by_name.get(register.name);
      if (row === undefined) {
        row = { name: register.name, bits: register.bits, shared: register.shared, cells: [] };
        by_name.set(register.name, row);
        rows.push(row);
      }
      const place = register.shared ? 0 : vtl;
      if (row.cells[place]?.changed !== true) row.cells[place] = cell_of(register, former[vtl]?.get(register.name));
    }
  });
  return rows;
}

function cell_of(register: Register, at_former_stop: string | undefined): Cell {
  const { value, bits } = register;
  const moved = at_former_stop !== undefined && at_former_stop !== value;
  const stepped = register.previous !== undefined && register.previous !== value;
  const was: string[] = [];
  if (stepped) was.push(`was ${register_text(register.previous!, bits)} before the last instruction`);
  if (moved && !(stepped && at_former_stop === register.previous)) was.push(`was ${register_text(at_former_stop, bits)} at the former stop`);
  return { value, text: register_text(value, bits), changed: moved || stepped, was: was.join(', ') };
}

/** Padded, in groups of eight digits: fffff801`00009e40. */
export function register_text(value: string, bits: number): string {
  const digits = value.replace(/^0x/, '').padStart(bits / 4, '0');
  const head = digits.length % 8;
  const parts = digits.slice(head).match(/.{8}/g) ?? [];
  return [...(head > 0 ? [digits.slice(0, head)] : []), ...parts].join('`');
}

/** What somebody typed for a register; undefined: no number, or too wide. */
export function typed_value(text: string, bits: number): string | undefined {
  const plain = text.trim().replace(/[`_, ]/g, '').toLowerCase();
  const digits = /^(?:0x)?([0-9a-f]{1,32})$/.exec(plain)?.[1];
  if (digits === undefined) return undefined;
  const value = BigInt(`0x${digits}`);
  return value >> BigInt(bits) === 0n ? `0x${value.toString(16)}` : undefined;
}

export type RegisterForm = 'value' | 'gdb' | 'windbg' | 'c' | 'markdown';
export const register_forms: readonly [RegisterForm, string][] = [
  ['value', 'the value'],
  ['gdb', 'as a gdb command'],
  ['windbg', 'as a WinDbg command'],
  ['c', 'as a C constant'],
  ['markdown', 'all that is shown as Markdown'],
];

export function copy_register(form: Exclude<RegisterForm, 'markdown'>, name: string, value: string, bits: number): string {
  switch (form) {
    case 'value':
      return value;
    case 'gdb':
      return `set $${name} = ${value}`;
    case 'windbg':
      return `r ${name}=${value.replace(/^0x/, '')}`;
    case 'c':
      return `const ${c_type(bits)} ${name}${bits > 64 ? `[${bits / 8}]` : ''} = ${c_value(value, bits)};`;
  }
}

function c_type(bits: number): string {
  if (bits <= 64) return `uint${bits}_t`;
  return 'unsigned char';
}
function c_value(value: string, bits: number): string {
  if (bits <= 64) return bits === 64 ? `${value}ull` : value;
  const bytes = value.replace(/^0x/, '').padStart(bits / 4, '0').match(/../g)!.reverse();
  return `{${bytes.map((byte) => `0x${byte}`).join(', ')}}`;
}

export function markdown_table(rows: readonly RegisterRow[]): string {
  const line = (row: RegisterRow) => `| ${row.name} | ${row.shared ? `${row.cells[0]?.text} | (shared)` : `${row.cells[0]?.text ?? '-'} | ${row.cells[1]?.text ?? '-'}`} |`;
  return ['| register | VTL 0 | VTL 1 |', '|---|---|---|', ...rows.map(line)].join('\n');
}
