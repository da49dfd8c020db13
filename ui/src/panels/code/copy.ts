// Instructions as other tools want them.
import { address } from '../../core/text';
import type { Line } from '../../rpc/interface';
import { visible } from '../../parts/untrusted';

export type CopyForm = 'text' | 'gdb' | 'windbg' | 'c' | 'markdown';
export const copy_forms: readonly [CopyForm, string][] = [
  ['text', 'as text'],
  ['gdb', 'as a gdb command'],
  ['windbg', 'as a WinDbg command'],
  ['c', 'as a C array of its bytes'],
  ['markdown', 'as Markdown'],
];

export function copy_of(form: CopyForm, lines: readonly Line[]): string {
  const first = lines[0];
  if (first === undefined) return '';
  switch (form) {
    case 'text':
      return plain(lines);
    case 'gdb':
      return `x/${lines.length}i ${first.place.address}`;
    case 'windbg':
      return `u ${address(first.place.address)} L${lines.length.toString(16)}`;
    case 'c':
      return c_array(lines);
    case 'markdown':
      return fenced(plain(lines));
  }
}

function plain(lines: readonly Line[]): string {
  return lines.map((line) => visible(`${address(line.place.address)}  ${line.text}${line.target ? `  ; ${line.target.text}` : ''}`)).join('\n');
}

/** The comment holds a name that a guest chose: nothing in it ends the line or goes on into the next. */
function c_array(lines: readonly Line[]): string {
  const bytes = lines.flatMap((line) => line.bytes.match(/../g) ?? []);
  const rows: string[] = [];
  for (let i = 0; i < bytes.length; i += 12) rows.push(`  ${bytes.slice(i, i + 12).map((byte) => `0x${byte}`).join(', ')},`);
  const name = visible(lines[0]!.place.text).replaceAll('\\', '/').replaceAll('??', '? ?');
  return `// ${lines[0]!.place.address}, ${name}\nstatic const unsigned char code[${bytes.length}] = {\n${rows.join('\n')}\n};`;
}

/** In a fence that nothing inside can close. */
export function fenced(text: string): string {
  const longest = Math.max(2, ...(text.match(/`+/g) ?? []).map((run) => run.length));
  const fence = '`'.repeat(longest + 1);
  return `${fence}\n${text}\n${fence}`;
}
