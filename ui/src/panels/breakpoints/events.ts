// The list of events that a run can stop at, as boxes: what is ticked is a breakpoint of the program.
import type { Breakpoint, Methods, TypeField } from '../../rpc/interface';

export interface EventBox {
  name: string;
  title: string;
  /** What it means, as the program says it. */
  help: string;
  /** What may be asked of its name: "CreateThread or 0x18"; undefined: it has none. */
  which?: string;
  breakpoint: Breakpoint | undefined;
}

/** In the order of interest; what is not named here comes after, as the program calls it. */
const known: readonly [name: string, title: string, which?: string][] = [
  ['vtl-call', 'VTL call'],
  ['vtl-return', 'VTL return'],
  ['vtl-entry', 'Interrupt into a higher VTL'],
  ['hypercall', 'Hypercall', 'HvCallModifyVtlProtectionMask or 0xc'],
  ['secure-service', 'Secure service', 'CreateThread or a number'],
  ['normal-call', 'Normal call', 'name or number'],
  ['ium-call', 'System call of a trustlet', 'IumCrypto or a number'],
  ['system-call', 'System call', 'name or number'],
  ['slat-violation', 'SLAT violation'],
  ['intercept', 'Intercept'],
  ['msr', 'MSR write', 'HV_X64_MSR_HYPERCALL or 0x40000001'],
  ['control-register', 'Control register', 'cr3'],
  ['interrupt', 'Interrupt', 'vector'],
  ['exception', 'Exception', '#PF or 14'],
  ['protection', 'Protection change'],
  ['tlb-flush', 'TLB flush'],
  ['image-load', 'Image load', 'part of its name'],
  ['process-start', 'Process start', 'part of its name'],
  ['trustlet-start', 'Trustlet start', 'part of its name'],
  ['image-unload', 'Image unload', 'part of its name'],
  ['process-exit', 'Process exit', 'part of its name'],
  ['vtl-enabled', 'VTL enabled'],
  ['milestone', 'Milestone', 'part of its text'],
  ['print', 'Debug print', 'part of its text'],
  ['hypervisor', 'Hypervisor launched'],
  ['power-off', 'Power off'],
  ['triple-fault', 'Triple fault'],
];

/** "hypercall" of "hypercall=0xc". */
export function kind_of(what: string): string {
  return what.split('=', 1)[0]!.trim();
}

export function boxes_of(kinds: readonly TypeField[], breakpoints: readonly Breakpoint[]): EventBox[] {
  const order = new Map(known.map(([name], index) => [name, index]));
  const place = (kind: TypeField) => order.get(kind.name) ?? known.length;
  return [...kinds]
    .sort((a, b) => place(a) - place(b))
    .map((kind) => {
      const row = known[order.get(kind.name) ?? -1];
      const which = row?.[2];
      return {
        name: kind.name,
        title: row?.[1] ?? kind.name,
        help: kind.type,
        ...(which === undefined ? {} : { which }),
        breakpoint: breakpoints.find((each) => each.kind === 'event' && !each.temporary && kind_of(each.what) === kind.name),
      };
    });
}

/** What is asked of the program when a box is ticked. */
export function request_of(name: string, which: string, condition: string): Methods['breakpoint.set']['parameters'] {
  const only = which.trim();
  const where = condition.trim();
  return { kind: 'event', what: only === '' ? name : `${name}=${only}`, ...(where === '' ? {} : { condition: where }) };
}

/** "=HvCallVtlCall, where vtl == 0": what narrows a breakpoint, in a line. */
export function narrowing_of(breakpoint: Breakpoint): string {
  const only = breakpoint.what.slice(kind_of(breakpoint.what).length);
  return [only, breakpoint.condition ? `where ${breakpoint.condition}` : ''].filter((each) => each !== '').join(', ');
}
