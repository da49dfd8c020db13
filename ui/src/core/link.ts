// What stands behind the # of a link: the secret of this server, and the view.
import type { Focus } from '../rpc/interface';

/** Everything that a link can say. What it does not say is left as it is. */
export interface Link {
  token?: string;
  /** Of the machine's configuration: a link to another run is told apart. */
  configuration?: string;
  at?: number;
  vp?: number;
  vtl?: number;
  frame?: number;
  /** The datum, as datum.ts writes it. */
  datum?: string;
  layout?: string;
  query?: string;
}

const texts = { t: 'token', c: 'configuration', datum: 'datum', layout: 'layout', query: 'query' } as const;
const numbers = ['at', 'vp', 'vtl', 'frame'] as const;

/** Of location.hash. What is no number where one belongs is passed over. */
export function parse_link(fragment: string): Link {
  const given = new URLSearchParams(fragment.replace(/^#/, ''));
  const link: Link = {};
  for (const [name, member] of Object.entries(texts)) {
    const value = given.get(name);
    if (value !== null && value.length <= 4096) link[member] = value;
  }
  for (const name of numbers) {
    const value = given.get(name);
    if (value !== null && /^[0-9]{1,16}$/.test(value) && Number(value) <= Number.MAX_SAFE_INTEGER) link[name] = Number(value);
  }
  return link;
}

export function format_link(link: Link): string {
  const parts: string[] = [];
  for (const [name, member] of Object.entries(texts))
    if (link[member] !== undefined && link[member] !== '') parts.push(`${name}=${encodeURIComponent(link[member])}`);
  for (const name of numbers) if (link[name] !== undefined) parts.push(`${name}=${link[name]}`);
  return `#${parts.join('&')}`;
}

/** What differs from the focus, or nothing. */
export function moves(link: Link, focus: Focus): boolean {
  return (
    (link.at !== undefined && link.at !== focus.at) ||
    (link.vp !== undefined && link.vp !== focus.vp) ||
    (link.vtl !== undefined && link.vtl !== focus.vtl) ||
    (link.frame ?? 0) !== (focus.frame ?? 0)
  );
}
