// What was done on the page, as a program for the Python client.
import type { MethodName } from '../../rpc/interface';

export interface Done {
  method: MethodName;
  parameters: Record<string, unknown>;
}

/** Calls that change something: what only looks is no part of a script. */
export const recorded: ReadonlySet<MethodName> = new Set<MethodName>([
  'focus',
  'step',
  'run',
  'breakpoint.set',
  'breakpoint.change',
  'breakpoint.remove',
  'bookmark.add',
  'bookmark.change',
  'bookmark.remove',
  'branch.begin',
  'branch.end',
  'memory.write',
  'registers.write',
  'reload',
  'open',
  'console',
]);

/** A JSON value as Python writes it. */
export function python_value(value: unknown): string {
  if (value === true) return 'True';
  if (value === false) return 'False';
  if (value === null || value === undefined) return 'None';
  if (Array.isArray(value)) return `[${value.map(python_value).join(', ')}]`;
  if (typeof value === 'object') {
    const members = Object.entries(value).map(([name, member]) => `${python_text(name)}: ${python_value(member)}`);
    return `{${members.join(', ')}}`;
  }
  return typeof value === 'string' ? python_text(value) : String(value);
}

/** JSON's escapes are Python's. What is not ASCII is escaped too, so that a script shows what it does. */
function python_text(text: string): string {
  return JSON.stringify(text).replace(/[^ -~]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

export function python_script(recording: string | undefined, done: readonly Done[]): string {
  const lines = done.map(({ method, parameters }) => `    session.call(${python_text(method)}, ${python_value(parameters)})`);
  return [
    '# Made of what was done in the browser. The package is in clients/python.',
    'import airlock_client',
    '',
    `with airlock_client.start(${recording === undefined ? '' : python_text(recording)}) as session:`,
    ...(lines.length > 0 ? lines : ['    pass']),
    '',
  ].join('\n');
}
