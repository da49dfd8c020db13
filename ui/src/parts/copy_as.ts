// A piece of memory as other tools and texts want it. Pure: bytes were read by whoever asks.
import type { Space } from '../core/datum';

export type CopyForm = 'plain' | 'gdb' | 'windbg' | 'c' | 'markdown';

export const copy_forms: readonly { form: CopyForm; title: string; needs_bytes: boolean }[] = [
  { form: 'plain', title: 'plain text', needs_bytes: false },
  { form: 'gdb', title: 'gdb command', needs_bytes: false },
  { form: 'windbg', title: 'WinDbg command', needs_bytes: false },
  { form: 'c', title: 'C array', needs_bytes: true },
  { form: 'markdown', title: 'Markdown', needs_bytes: true },
];

/** A byte, or why there is none. */
export type Cell = number | 'denied' | 'unmapped' | 'device' | 'unknown';

export interface Piece {
  space: Space;
  vtl: number;
  address: bigint;
  length: number;
  /** As many as `length`; absent: only the place is meant. */
  cells?: readonly Cell[];
}

/** What stands where a byte cannot: denied and absent are never the same. */
export function sign_of(cell: Exclude<Cell, number>): string {
  return { denied: '??', unmapped: '--', device: '[]', unknown: '..' }[cell];
}

export function cell_text(cell: Cell): string {
  return typeof cell === 'number' ? cell.toString(16).padStart(2, '0') : sign_of(cell);
}

export function copy_as(form: CopyForm, piece: Piece): string {
  switch (form) {
    case 'plain':
      return piece.cells === undefined ? hex(piece.address) : dump(piece);
    case 'gdb':
      return gdb(piece);
    case 'windbg':
      return windbg(piece);
    case 'c':
      return c_array(piece);
    case 'markdown':
      return `${whose(piece)}:\n\n\`\`\`text\n${dump(piece)}\n\`\`\`\n`;
  }
}

function hex(value: bigint): string {
  return `0x${value.toString(16)}`;
}

function whose(piece: Piece): string {
  const view = piece.space === 'spa' ? '' : `, as VTL ${piece.vtl} sees it`;
  return `${piece.length} byte${piece.length === 1 ? '' : 's'} at ${piece.space.toUpperCase()} \`${hex(piece.address)}\`${view}`;
}

/** gdb's own commands; physical memory through the switch of the remote protocol, which knows guest physical addresses only. */
function gdb(piece: Piece): string {
  const words = Math.max(1, Math.ceil(piece.length / 8));
  const examine = `x/${words}xg ${hex(piece.address)}`;
  if (piece.space === 'gva') return examine;
  if (piece.space === 'gpa') return `maintenance packet Qqemu.PhyMemMode:1\n${examine}\nmaintenance packet Qqemu.PhyMemMode:0`;
  return `monitor dq spa:${hex(piece.address)} L${words}`;
}

/** System physical addresses exist for our console only: WinDbg sees one guest. */
function windbg(piece: Piece): string {
  const words = Math.max(1, Math.ceil(piece.length / 8)).toString(16);
  const digits = piece.address.toString(16).padStart(16, '0');
  if (piece.space === 'gva') return `dq ${digits.slice(0, 8)}\`${digits.slice(8)} L${words}`;
  if (piece.space === 'gpa') return `!dq ${piece.address.toString(16)} L${words}`;
  return `dq spa:${hex(piece.address)} L${words}`;
}

function c_array(piece: Piece): string {
  const cells = piece.cells ?? [];
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += 16) lines.push(`  ${cells.slice(at, at + 16).map(c_byte).join(', ')},`);
  const name = `${piece.space}_${piece.address.toString(16)}`;
  return `// ${whose(piece).replaceAll('`', '')}\nconst unsigned char ${name}[${cells.length}] = {\n${lines.join('\n')}\n};\n`;
}

function c_byte(cell: Cell): string {
  return typeof cell === 'number' ? `0x${cell.toString(16).padStart(2, '0')}` : `0x00 /* ${cell} */`;
}

function dump(piece: Piece): string {
  const cells = piece.cells ?? [];
  const lines: string[] = [];
  for (let at = 0; at < cells.length; at += 16) {
    const row = cells.slice(at, at + 16);
    const address = BigInt.asUintN(64, piece.address + BigInt(at)).toString(16).padStart(16, '0');
    lines.push(`${address}  ${row.map(cell_text).join(' ').padEnd(47)}  ${row.map(character).join('')}`.trimEnd());
  }
  return lines.join('\n');
}

/** A printable ASCII character, or a full stop; for what is no byte its sign's first character. */
export function character(cell: Cell): string {
  if (typeof cell !== 'number') return sign_of(cell)[0]!;
  return cell >= 0x20 && cell < 0x7f ? String.fromCharCode(cell) : '.';
}

/** False: the browser refused. */
export async function to_clipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
