// Kinds of events in groups, for the boxes of the quick filter and for words to complete.

export interface KindGroup {
  id: string;
  title: string;
  help: string;
  kinds: readonly string[];
}

/** Every kind is in one group: names as in sim/support/events.h. */
export const kind_groups: readonly KindGroup[] = [
  { id: 'hypercalls', title: 'Hypercalls', help: 'Hypercalls other than VTL call and return', kinds: ['Hypercall'] },
  { id: 'switches', title: 'VTL switches', help: 'Secure calls, their returns, and entries by interrupts', kinds: ['VtlCall', 'VtlReturn', 'VtlInterruptEntry'] },
  { id: 'faults', title: 'Faults', help: 'SLAT violations, exceptions, triple faults', kinds: ['Intercept', 'Exception', 'TripleFault'] },
  { id: 'protection', title: 'Protection', help: 'VTL 1 changes what VTL 0 may do with pages; VTLs are enabled', kinds: ['ProtectionChange', 'VtlEnabled'] },
  { id: 'tlb', title: 'TLB', help: 'Translations are flushed by hypercall', kinds: ['TlbFlush'] },
  { id: 'calls', title: 'System calls', help: 'SYSCALL in any VTL', kinds: ['SystemCall'] },
  { id: 'interrupts', title: 'Interrupts', help: 'External interrupts are delivered', kinds: ['Interrupt'] },
  { id: 'msrs', title: 'MSRs', help: 'Synthetic MSRs are written', kinds: ['MsrWrite'] },
  { id: 'images', title: 'Images', help: 'Images and processes come and go', kinds: ['ImageLoaded', 'ImageUnloaded', 'ProcessCreated', 'ProcessExited'] },
  { id: 'prints', title: 'Prints', help: 'Guests print to their debugger, or say how far they came', kinds: ['DebugPrint', 'Milestone'] },
  { id: 'machine', title: 'Machine', help: 'The hypervisor is launched, the machine is switched off', kinds: ['HypervisorLaunched', 'PowerOff'] },
];

export const all_kinds: readonly string[] = kind_groups.flatMap((group) => group.kinds);

/** What breakpoint.set calls a kind of event. */
export const breakpoint_names: Readonly<Record<string, string>> = {
  Hypercall: 'hypercall',
  VtlCall: 'vtl-call',
  VtlReturn: 'vtl-return',
  VtlInterruptEntry: 'vtl-entry',
  Intercept: 'intercept',
  ProtectionChange: 'protection',
  VtlEnabled: 'vtl-enabled',
  Exception: 'exception',
  Interrupt: 'interrupt',
  SystemCall: 'system-call',
  MsrWrite: 'msr',
  TlbFlush: 'tlb-flush',
  ImageLoaded: 'image-load',
  ImageUnloaded: 'image-unload',
  ProcessCreated: 'process-start',
  ProcessExited: 'process-exit',
  DebugPrint: 'print',
  Milestone: 'milestone',
  HypervisorLaunched: 'hypervisor',
  PowerOff: 'power-off',
  TripleFault: 'triple-fault',
};

/** Kinds of breakpoints that a query can say exactly, for those who know them by that name. */
export const clauses: Readonly<Record<string, string>> = {
  ...Object.fromEntries(Object.entries(breakpoint_names).map(([kind, name]) => [name, `kind == ${kind}`])),
  'slat-violation': 'kind == Intercept',
  'ium-call': '(kind == SystemCall and vtl == 1)',
  'process-start': '(kind == ProcessCreated and vtl == 0)',
  'trustlet-start': '(kind == ProcessCreated and vtl == 1)',
};

/** How a row of this kind is drawn. */
export function look_of(kind: string): string {
  switch (kind) {
    case 'Hypercall':
    case 'VtlCall':
    case 'VtlReturn':
    case 'VtlInterruptEntry':
    case 'HypervisorLaunched':
      return 'hypervisor';
    case 'Intercept':
    case 'Exception':
    case 'TripleFault':
      return 'bad';
    case 'ProtectionChange':
    case 'VtlEnabled':
    case 'TlbFlush':
      return 'warn';
    default:
      return '';
  }
}
