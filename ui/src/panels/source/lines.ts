// Places as lines of a file: which were executed, and which have breakpoints.
import type { Methods, Place } from '../../rpc/interface';

type Trail = Methods['trail']['result'];

export interface LineMark {
  /** Instructions ago, the last time; absent: not in the trail. */
  past?: number;
  future?: number;
}

/** As PDBs write one path in several ways: without case, either slash. */
export function same_file(a: string | undefined, b: string | undefined): boolean {
  return a !== undefined && b !== undefined && plain(a) === plain(b);
}
function plain(path: string): string {
  return path.toLowerCase().replaceAll('\\', '/');
}

/** Marks by line number, of `file`; what is not known yet of an address is passed over. */
export function line_marks(trail: Trail | undefined, vtl: number, file: string, place_of: (address: string) => Place | undefined): Map<number, LineMark> {
  const marks = new Map<number, LineMark>();
  if (trail === undefined) return marks;
  const mark = (address: string, ago: number | undefined, ahead: number | undefined) => {
    const place = place_of(address);
    if (place?.line === undefined || !same_file(place.file, file)) return;
    const found = marks.get(place.line) ?? {};
    marks.set(place.line, found);
    if (ago !== undefined) found.past = ago;
    if (ahead !== undefined) found.future ??= ahead;
  };
  trail.past.forEach((step, index) => step.vtl === vtl && mark(step.address, trail.past.length - index, undefined));
  trail.future.forEach((step, index) => step.vtl === vtl && index > 0 && mark(step.address, undefined, index));
  return marks;
}

/** Addresses of the trail that no place is known of, each once. */
export function unknown_addresses(trail: Trail | undefined, vtl: number, known: (address: string) => boolean): string[] {
  if (trail === undefined) return [];
  const steps = [...trail.past, ...trail.future].filter((step) => step.vtl === vtl && !known(step.address));
  return [...new Set(steps.map((step) => step.address))];
}
