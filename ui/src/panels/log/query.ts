// The text of a query: the boxes write its first part, words are completed in it, and what the program says of it is put in place.
// The language is in docs/debugger.md; the program compiles it, this file only knows words.
import type { RpcError } from '../../rpc/errors';
import { all_kinds, breakpoint_names, clauses, kind_groups } from './kinds';

export const longest_query = 4096;

// --- the boxes

const one = 'kind\\s*==\\s*"?([A-Za-z]+)"?';
const alone = new RegExp(`^\\s*${one}\\s*(?:(?:and\\b|&&)\\s*([^]*))?$`, 'i');
const several = new RegExp(`^\\s*\\(\\s*(${one}(?:\\s+or\\s+${one})*)\\s*\\)\\s*(?:(?:and\\b|&&)\\s*([^]*))?$`, 'i');
const known = new Map(all_kinds.map((kind) => [kind.toLowerCase(), kind]));

export interface SplitQuery {
  /** Kinds that the first part asks for; undefined: it asks for none. */
  kinds: string[] | undefined;
  rest: string;
}

/** What the boxes can show of a query. */
export function split_query(query: string): SplitQuery {
  const whole = { kinds: undefined, rest: query.trim() };
  const single = alone.exec(query);
  if (single !== null) {
    const kind = known.get(single[1]!.toLowerCase());
    const rest = single[2]?.trim() ?? '';
    return kind === undefined || either(rest) ? whole : { kinds: [kind], rest: bare(rest) };
  }
  const list = several.exec(query);
  if (list === null) return whole;
  const kinds = [...list[1]!.matchAll(new RegExp(one, 'gi'))].map((match) => known.get(match[1]!.toLowerCase()));
  const rest = list.at(-1)?.trim() ?? '';
  if (kinds.some((kind) => kind === undefined) || either(rest)) return whole;
  return { kinds: kinds as string[], rest: bare(rest) };
}

export function join_query({ kinds, rest }: SplitQuery): string {
  if (kinds === undefined || kinds.length === 0) return rest;
  const tests = kinds.map((kind) => `kind == ${kind}`);
  const first = tests.length === 1 ? tests[0]! : `(${tests.join(' or ')})`;
  if (rest === '') return first;
  return `${first} and ${either(rest) ? `(${rest})` : rest}`;
}

/** The query when a box is ticked or cleared. All boxes and no box are the same: everything. */
export function toggle_group(query: string, id: string): string {
  const { kinds, rest } = split_query(query);
  const group = kind_groups.find((each) => each.id === id)!;
  const ticked = new Set(kinds ?? []);
  const on = !group.kinds.some((kind) => ticked.has(kind));
  for (const kind of group.kinds) {
    if (on) ticked.add(kind);
    else ticked.delete(kind);
  }
  const chosen = all_kinds.filter((kind) => ticked.has(kind));
  return join_query({ kinds: chosen.length === all_kinds.length ? undefined : chosen, rest });
}

/** "mixed": some of its kinds only. */
export function group_state(query: string, id: string): boolean | 'mixed' {
  const kinds = split_query(query).kinds ?? [];
  const group = kind_groups.find((each) => each.id === id)!;
  const on = group.kinds.filter((kind) => kinds.includes(kind)).length;
  return on === 0 ? false : on === group.kinds.length ? true : 'mixed';
}

/** `or` outside parentheses and texts: it binds less than what is joined by `and`. */
function either(query: string): boolean {
  let depth = 0;
  for (const [token] of query.matchAll(/"(?:[^"\\]|\\.)*"?|'[^']*'?|\|\||[A-Za-z_$@][\w$@]*|[()]/g)) {
    if (token === '(') depth += 1;
    else if (token === ')') depth -= 1;
    else if (depth === 0 && (token === '||' || token.toLowerCase() === 'or')) return true;
    if (depth < 0) return true;
  }
  return false;
}

/** Without the parentheses around all of it. */
function bare(query: string): string {
  if (!query.startsWith('(') || !query.endsWith(')')) return query;
  const inner = query.slice(1, -1);
  return either(inner) && balanced(inner) ? inner.trim() : query;
}

function balanced(query: string): boolean {
  let depth = 0;
  for (const [token] of query.matchAll(/"(?:[^"\\]|\\.)*"?|[()]/g)) {
    if (token === '(') depth += 1;
    if (token === ')' && --depth < 0) return false;
  }
  return depth === 0;
}

// --- mistakes

export interface Mistake {
  text: string;
  /** Of the character, from 0; absent: of the whole. */
  at?: number;
}

/** "query, column 23: ..." counts bytes of UTF-8 from 1. */
export function mistake_of(error: RpcError, query: string): Mistake {
  const said = /^query, column (\d+): ([^]*)$/.exec(error.message);
  if (said === null) return { text: error.message };
  const bytes = new TextEncoder().encode(query).slice(0, Number(said[1]) - 1);
  return { text: said[2]!, at: new TextDecoder().decode(bytes).length };
}

// --- completion

export interface Word {
  /** What is put in. */
  text: string;
  help: string;
}
export interface Completion {
  /** The part of the text that a word replaces. */
  from: number;
  to: number;
  words: Word[];
}

const fields: readonly Word[] = [
  { text: 'kind', help: 'of the event' },
  { text: 'name', help: 'of the call, service, exception, image' },
  { text: 'code', help: 'number of the hypercall, service, system call, exception' },
  { text: 'status', help: 'of the answer: 0 is success' },
  { text: 'vtl', help: 'where it happened' },
  { text: 'vp', help: 'virtual processor' },
  { text: 'at', help: 'instant' },
  { text: 'a', help: 'first raw value' },
  { text: 'b', help: 'second raw value' },
  { text: 'c', help: 'third raw value' },
  { text: 'service', help: 'name of the secure service of a VTL call' },
  { text: 'process', help: 'name of the process that ran' },
  { text: 'image', help: 'name of the image that is loaded, or that ran' },
  { text: 'vector', help: 'of exceptions and interrupts' },
  { text: 'msr', help: 'number of the register' },
  { text: 'arg("', help: 'a parameter by its name: arg("map_flags")' },
];
const functions: readonly Word[] = [
  { text: 'u8(', help: 'byte of memory' },
  { text: 'u16(', help: 'two bytes of memory' },
  { text: 'u32(', help: 'four bytes of memory' },
  { text: 'u64(', help: 'eight bytes of memory' },
];
const comparisons: readonly Word[] = [
  { text: '==', help: 'is' },
  { text: '!=', help: 'is not' },
  { text: 'contains', help: 'has this in it, without case' },
  { text: '~', help: 'matches a pattern with * and ?' },
  { text: '<', help: 'is less than' },
  { text: '>=', help: 'is at least' },
];
const joins: readonly Word[] = [
  { text: 'and', help: 'both' },
  { text: 'or', help: 'one of them' },
];
const most_words = 40;

export interface Vocabulary {
  /** What breakpoint.events said of kinds, by its names for them. */
  help: ReadonlyMap<string, string>;
  /** Values that events had, by field: name, service, process, image. */
  values: ReadonlyMap<string, readonly string[]>;
}

/** Words that can stand at the caret. */
export function complete(query: string, caret: number, vocabulary: Vocabulary): Completion {
  const before = query.slice(0, caret);
  const from = before.length - /(?:"[^"]*|[\w$@!-]*)$/.exec(before)![0].length;
  const to = caret + /^[\w$@]*/.exec(query.slice(caret))![0].length;
  const typed = before.slice(from).toLowerCase();
  const words = candidates(before.slice(0, from), vocabulary);
  const fits = (word: Word) => word.text.toLowerCase().startsWith(typed) || (typed.length > 1 && word.text.toLowerCase().includes(typed));
  const found = words.filter((word) => fits(word) && word.text.toLowerCase() !== typed);
  found.sort((a, b) => Number(b.text.toLowerCase().startsWith(typed)) - Number(a.text.toLowerCase().startsWith(typed)));
  return { from, to, words: found.slice(0, most_words) };
}

/** What can follow a text. */
function candidates(before: string, vocabulary: Vocabulary): Word[] {
  const compared = /(\w+)\s*(?:==|!=|~|contains)\s*$/i.exec(before)?.[1]?.toLowerCase();
  if (compared === 'kind') return all_kinds.map((kind) => ({ text: kind, help: help_of(kind, vocabulary) }));
  if (compared !== undefined) return (vocabulary.values.get(compared) ?? []).map((value) => ({ text: quoted(value), help: '' }));
  if (/\b(kind|name|code|status|vtl|vp|at|a|b|c|service|process|image|vector|msr)\s*$/i.test(before) && /\s$/.test(before)) return [...comparisons];
  if (/(["\w)])\s+$/.test(before) && !/\b(and|or|not)\s+$/i.test(before)) return [...joins];
  const named = Object.entries(clauses).map(([name, clause]) => ({ text: clause, help: vocabulary.help.get(name) ?? name, name }));
  return [...fields, ...named.map(({ text, help, name }) => ({ text, help: `${name}: ${help}` })), ...functions];
}

function help_of(kind: string, vocabulary: Vocabulary): string {
  return vocabulary.help.get(breakpoint_names[kind] ?? '') ?? kind_groups.find((group) => group.kinds.includes(kind))?.help ?? '';
}

/** As the language writes a text. */
export function quoted(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&')}"`;
}

export function put_in(query: string, { from, to }: Completion, word: Word): { query: string; caret: number } {
  const space = /[("]$/.test(word.text) || /^\s/.test(query.slice(to)) ? '' : ' ';
  return { query: query.slice(0, from) + word.text + space + query.slice(to), caret: from + word.text.length + space.length };
}

// --- breakpoints

/** A query as event breakpoints: one for each kind that it asks for, the rest as condition; undefined: it names no kind. */
export function as_breakpoints(query: string): { what: string; condition?: string }[] | undefined {
  const { kinds, rest } = split_query(query);
  if (kinds === undefined) return undefined;
  const names = kinds.flatMap((kind) => (kind === 'ProcessCreated' ? ['process-start', 'trustlet-start'] : [breakpoint_names[kind]!]));
  return names.map((what) => ({ what, ...(rest === '' ? {} : { condition: rest }) }));
}
