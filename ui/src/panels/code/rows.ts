// What the disassembly shows, row by row: instructions, and between them names of functions and lines of source.
import type { Line, Place } from '../../rpc/interface';

export interface CodeRow {
  kind: 'code';
  key: string;
  line: Line;
}
export type Row = CodeRow | { kind: 'name'; key: string; text: string; address: string } | { kind: 'source'; key: string; text: string; file: string; line: number };

const rows_by_line = new WeakMap<Line, CodeRow>();

/** The row of a line is the same object as long as the line is. */
function code_row(line: Line): CodeRow {
  let row = rows_by_line.get(line);
  if (row === undefined) rows_by_line.set(line, (row = { kind: 'code', key: line.place.address, line }));
  return row;
}

export function rows_of(lines: readonly Line[], with_source: boolean): Row[] {
  const rows: Row[] = [];
  let before: Place | undefined;
  for (const line of lines) {
    const name = name_before(line.place, before);
    if (name !== undefined) rows.push({ kind: 'name', key: `name ${line.place.address}`, text: name, address: line.place.address });
    if (with_source && line.source !== undefined)
      rows.push({ kind: 'source', key: `source ${line.place.address}`, text: line.source, file: line.place.file ?? '', line: line.place.line ?? 0 });
    rows.push(code_row(line));
    before = line.place;
  }
  return rows;
}

/** securekernel!SkCallNormalMode, or undefined for code that no image covers. */
export function function_name(place: Place): string | undefined {
  if (place.symbol !== undefined) return `${place.module ?? '?'}!${place.symbol}`;
  return place.module;
}

function name_before(place: Place, before: Place | undefined): string | undefined {
  const name = function_name(place);
  if (place.symbol !== undefined && place.displacement === 0) return `${name}:`;
  if (before === undefined || function_name(before) === name) return undefined;
  return name === undefined ? 'no image:' : `${name}${place.symbol === undefined ? ', no symbol' : ', from its middle'}:`;
}

/** The mnemonic, and what follows it. */
export function split_text(text: string): [mnemonic: string, operands: string] {
  const prefixed = /^((?:rep|repe|repne|lock|notrack|bnd) )?\S+/.exec(text);
  const length = prefixed?.[0].length ?? text.length;
  return [text.slice(0, length), text.slice(length).trimStart()];
}

/** Operands cut so that numbers stand alone: those can be followed. */
export function operand_parts(operands: string): { text: string; number?: string }[] {
  return operands.split(/(0x[0-9a-f]{3,16}(?![0-9a-z]))/).flatMap((text, index) => {
    if (text === '') return [];
    return index % 2 === 1 ? [{ text, number: text }] : [{ text }];
  });
}

/** "48 8b 05"; long ones end with an ellipsis. */
export function spaced_bytes(bytes: string, most = 10): string {
  const pairs = bytes.match(/../g) ?? [];
  return pairs.length > most ? `${pairs.slice(0, most - 1).join(' ')} …` : pairs.join(' ');
}
