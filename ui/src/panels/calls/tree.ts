// Calls between the worlds as a tree: built from the flat list of the program, shown as rows.
import type { CallNode, Focus, Frame } from '../../rpc/interface';

export interface TreeNode {
  /** Stays the same when the list is loaded again. */
  key: string;
  call: CallNode;
  parent: TreeNode | undefined;
  children: TreeNode[];
}

export interface TreeRow {
  key: string;
  node: TreeNode;
  /** call: the node itself. callers: the functions of the world that called. here: those that the focus stands in. */
  kind: 'call' | 'callers' | 'here';
  /** From 1, for screen readers and the indentation. */
  level: number;
  /** Undefined: nothing to fold. */
  open?: boolean;
  on_path: boolean;
  /** The focus is in it, or in what is folded into it. */
  focus: boolean;
  text: string;
}

/** The last that passes. */
export function last<T>(list: readonly T[], passes: (one: T) => boolean): T | undefined {
  for (let i = list.length; i-- > 0; ) if (passes(list[i]!)) return list[i];
  return undefined;
}

/** The list is ordered by beginnings; processors have their own nesting. */
export function build(calls: readonly CallNode[]): TreeNode[] {
  const roots: TreeNode[] = [];
  const stacks = new Map<number, TreeNode[]>();
  const same = new Map<string, number>();
  for (const call of calls) {
    const stack = stacks.get(call.vp) ?? [];
    stacks.set(call.vp, stack);
    stack.length = Math.min(stack.length, call.depth);
    const parent = stack.at(-1);
    const name = `${call.vp}.${call.at}.${call.from_vtl}.${call.to_vtl}`;
    const number = same.get(name) ?? 0;
    same.set(name, number + 1);
    const node: TreeNode = { key: `${name}.${number}`, call, parent, children: [] };
    (parent?.children ?? roots).push(node);
    stack.push(node);
  }
  return roots;
}

/** From the outermost to the innermost call that the focus' processor is in at its instant. */
export function path_to(roots: readonly TreeNode[], focus: Focus): TreeNode[] {
  const path: TreeNode[] = [];
  let level: readonly TreeNode[] = roots;
  for (;;) {
    const inside = last(level, ({ call }) => call.vp === focus.vp && call.at <= focus.at && (call.end === undefined || focus.at <= call.end));
    if (inside === undefined) return path;
    path.push(inside);
    level = inside.children;
  }
}

export function inclusive({ call }: TreeNode): number | undefined {
  return call.inclusive ?? (call.end === undefined ? undefined : call.end - call.at);
}

/** What no call inside took. */
export function exclusive(node: TreeNode): number | undefined {
  if (node.call.exclusive !== undefined) return node.call.exclusive;
  const whole = inclusive(node);
  if (whole === undefined) return undefined;
  return node.children.reduce((rest, child) => rest - (inclusive(child) ?? 0), whole);
}

export function name_of(call: CallNode): string {
  return call.name ?? /^[^(=]*/.exec(call.text)![0].trim();
}
/** Arguments and answer. */
export function rest_of(call: CallNode): string {
  const name = name_of(call);
  return call.text.startsWith(name) ? call.text.slice(name.length) : call.text;
}

/** How a call enters the other world, in words of the field. */
export function way_of(call: CallNode): string {
  switch (call.kind) {
    case 'hypercall':
      return 'hypercall';
    case 'interrupt':
      return 'interrupt';
    case 'vtl_return':
      return 'HvCallVtlReturn';
    case 'vtl_call':
      return 'HvCallVtlCall';
    default: // programs before these words
      return call.from_vtl === call.to_vtl ? 'hypercall' : call.from_vtl < call.to_vtl ? 'HvCallVtlCall' : 'HvCallVtlReturn';
  }
}

export interface Shown {
  roots: readonly TreeNode[];
  path: readonly TreeNode[];
  /** What somebody folded or opened, by key. Others are open where the focus is. */
  folds: ReadonlyMap<string, boolean>;
  /** Functions at the instant of a call of the path, by key. */
  callers: ReadonlyMap<string, string>;
  /** Functions that the focus stands in. */
  here: string;
  /** Its instant. */
  at: number;
}

export function is_open(node: TreeNode, { path, folds }: Pick<Shown, 'path' | 'folds'>): boolean {
  return folds.get(node.key) ?? path.includes(node);
}

export function rows_of(shown: Shown): TreeRow[] {
  const rows: TreeRow[] = [];
  add_rows(shown.roots, 1, shown, rows);
  return rows;
}

function add_rows(nodes: readonly TreeNode[], level: number, shown: Shown, rows: TreeRow[]): void {
  const innermost = shown.path.at(-1);
  for (const node of nodes) {
    const on_path = shown.path.includes(node);
    const callers = on_path ? shown.callers.get(node.key) : undefined;
    if (callers) rows.push({ key: `${node.key} callers`, node, kind: 'callers', level, on_path, focus: false, text: callers });
    const here = node === innermost && shown.here !== '' && node.call.from_vtl !== node.call.to_vtl;
    const foldable = node.children.length > 0 || here;
    const open = foldable && is_open(node, shown);
    const holds_focus = node === innermost || (on_path && !open);
    rows.push({ key: node.key, node, kind: 'call', level, on_path, focus: holds_focus, text: node.call.text, ...(foldable ? { open } : {}) });
    if (!open) continue;
    const later = here ? node.children.findIndex(({ call }) => call.at >= shown.at) : -1;
    const before = later < 0 ? node.children.length : later;
    add_rows(node.children.slice(0, before), level + 1, shown, rows);
    if (here) rows.push({ key: `${node.key} here`, node, kind: 'here', level: level + 1, on_path, focus: true, text: shown.here });
    add_rows(node.children.slice(before), level + 1, shown, rows);
  }
}

const most_functions = 7;

/** The functions of one world, the innermost first: "nt!VslpEnterIumSecureMode ← nt!VslCreateSecureProcess". */
export function functions_of(frames: readonly Frame[], vtl: number): string {
  const end = frames.findIndex((frame) => frame.vtl !== vtl);
  const own = (end < 0 ? frames : frames.slice(0, end)).filter((frame) => frame.pc.module !== undefined);
  const names = own.map((frame) => (frame.pc.symbol === undefined ? frame.pc.text : `${frame.pc.module}!${frame.pc.symbol}`));
  return (names.length > most_functions ? [...names.slice(0, most_functions), '…'] : names).join(' ← ');
}
