// A walk as a page shows it: first-stage entries with the second-stage references that were needed to reach them.
import type { Methods, WalkReference } from '../../rpc/interface';

export type Walk = Methods['walk']['result'];

/** What stage 1 permits so far: levels can only take away. */
export interface Stage1 {
  write: boolean;
  execute: boolean;
  user: boolean;
}

export interface Step {
  /** Among all references, from 0. */
  number: number;
  reference: WalkReference;
}

/** An entry of stage 1, or the page itself at the end. */
export interface Group {
  nested: Step[];
  /** Absent: the page. */
  entry: Step | undefined;
  /** Of the entry, or of the page. */
  gpa: string | undefined;
  /** After the entry was taken into account. */
  rights: Stage1;
}

export function flags_of(reference: WalkReference): Set<string> {
  return new Set(reference.flags.split(' ').filter((flag) => flag !== ''));
}

/** The references in the order in which the processor makes them, folded under what they are for. */
export function groups_of(walk: Walk): Group[] {
  const groups: Group[] = [];
  let nested: Step[] = [];
  let rights: Stage1 = { write: true, execute: true, user: true };
  walk.references.forEach((reference, number) => {
    if (reference.stage === 2) return void nested.push({ number, reference });
    const flags = flags_of(reference);
    if (reference.present)
      rights = { write: rights.write && flags.has('W'), execute: rights.execute && !flags.has('NX'), user: rights.user && flags.has('U') };
    groups.push({ nested, entry: { number, reference }, gpa: reference.gpa, rights });
    nested = [];
  });
  if (nested.length > 0 || walk.gpa !== undefined) groups.push({ nested, entry: undefined, gpa: walk.gpa ?? nested[0]?.reference.gpa, rights });
  return groups;
}

/** "rwx u", "r-x k": the letter is the ring that may. */
export function stage1_text(rights: Stage1): string {
  return `r${rights.write ? 'w' : '-'}${rights.execute ? 'x' : '-'} ${rights.user ? 'u' : 'k'}`;
}
export function stage1_sentence(rights: Stage1): string {
  return `stage 1 permits reading${rights.write ? ', writing' : ''}${rights.execute ? ', execution' : ''} ${rights.user ? 'in user and kernel mode' : 'in kernel mode only'}`;
}

/** The entry that refused. */
export function denied_by(walk: Walk): Step | undefined {
  const number = walk.references.findIndex((reference) => reference.denied);
  return number < 0 ? undefined : { number, reference: walk.references[number]! };
}

/** The group that a reference is shown in. */
export function group_of(groups: readonly Group[], number: number): number {
  return groups.findIndex((group) => group.entry?.number === number || group.nested.some((step) => step.number === number));
}

const words: Record<string, string> = {
  P: 'present',
  W: 'writable',
  U: 'user',
  A: 'accessed',
  D: 'dirty',
  PS: 'large page',
  G: 'global',
  NX: 'no execute',
  r: 'read',
  w: 'write',
  kx: 'kernel execute',
  ux: 'user execute',
};
export function flags_in_words(reference: WalkReference): string {
  const known = [...flags_of(reference)].map((flag) => words[flag] ?? flag);
  if (known.length > 0) return known.join(', ');
  return reference.stage === 1 ? 'not present' : 'no rights';
}

export function entry_name(reference: WalkReference): string {
  return `${reference.name}[${reference.index}]`;
}

/** One reference as a sentence, for going through them one by one. */
export function sentence(walk: Walk, number: number): string {
  const reference = walk.references[number];
  if (reference === undefined) return '';
  const where = reference.stage === 1 ? `at GPA ${reference.gpa}` : `at SPA ${reference.spa}, on the way to GPA ${reference.gpa}`;
  const end = reference.denied ? ` The translation ends here: ${walk.rule}.` : '';
  return `${number + 1} of ${walk.references.length}: ${entry_name(reference)} ${where} is ${reference.value}: ${flags_in_words(reference)}.${end}`;
}

/** A breakpoint for a change of the rights to a page: the hypervisor's tables are not written by the guest's instructions. */
export function rights_change(gpa: string): { what: string; condition: string } {
  const page = `0x${(BigInt(gpa) & ~0xfffn).toString(16)}`;
  return { what: 'protection', condition: `a <= ${page} and ${page} < a + b * 4096` };
}
