// Queries that somebody kept, and those that were asked last: in the browser, and as a file for others.
import { load, store } from '../../core/settings.svelte';
import { longest_query } from './query';

export interface SavedQuery {
  name: string;
  query: string;
}

const most_history = 50;
const most_saved = 200;
const longest_name = 200;
const file_kind = 'airlock queries';

const is_text = (value: unknown, longest: number): value is string => typeof value === 'string' && value.length <= longest;
const is_saved = (value: unknown): value is SavedQuery =>
  typeof value === 'object' && value !== null && is_text((value as SavedQuery).name, longest_name) && is_text((value as SavedQuery).query, longest_query);
const is_history = (value: unknown): value is string[] =>
  Array.isArray(value) && value.length <= most_history && value.every((one) => is_text(one, longest_query));
const is_list = (value: unknown): value is SavedQuery[] => Array.isArray(value) && value.length <= most_saved && value.every(is_saved);

export function load_history(): string[] {
  return load('queries.history', [], is_history);
}
/** The latest first, each once. */
export function remember(history: readonly string[], query: string): string[] {
  if (query.trim() === '' || query.length > longest_query) return [...history];
  const next = [query, ...history.filter((one) => one !== query)].slice(0, most_history);
  store('queries.history', next);
  return next;
}

export function load_saved(): SavedQuery[] {
  return load('queries.saved', [], is_list);
}
export function store_saved(saved: readonly SavedQuery[]): void {
  store('queries.saved', saved);
}

/** One name, one query: the later one stays. */
export function merge(saved: readonly SavedQuery[], more: readonly SavedQuery[]): SavedQuery[] {
  const by_name = new Map([...saved, ...more].map((one) => [one.name, { name: one.name, query: one.query }]));
  return [...by_name.values()].sort((a, b) => a.name.localeCompare(b.name, 'en')).slice(0, most_saved);
}

export function export_text(saved: readonly SavedQuery[]): string {
  return `${JSON.stringify({ kind: file_kind, version: 1, queries: saved }, null, 2)}\n`;
}

/** Throws what is wrong with a file. */
export function import_text(text: string): SavedQuery[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('The file is not JSON.');
  }
  const file = value as { kind?: unknown; version?: unknown; queries?: unknown } | null;
  if (typeof file !== 'object' || file === null || file.kind !== file_kind) throw new Error('The file holds no queries of Airlock.');
  if (file.version !== 1) throw new Error('The file is of a later version of Airlock.');
  if (!is_list(file.queries)) throw new Error(`A file has at most ${most_saved} queries, each with a name and a text of at most ${longest_query} characters.`);
  return file.queries;
}
