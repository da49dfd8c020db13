// The guided tour: one secure call from both sides, and a theft that fails. Each step says where it stands, so that the way
// back is the same as the way on.
import type { Session } from '../core/session.svelte';
import type { Workspace } from '../core/workspace.svelte';

export interface TourStep {
  title: string;
  /** Paragraphs. */
  text: readonly string[];
  /** Name of the pane, or of the part of the page, that is meant. */
  look?: string;
  /** Title of the layout that it wants, by id. */
  layout?: string;
  /** Goes there. False: this run has no such thing, and the step is passed over. */
  enter?: (tour: TourState) => Promise<boolean>;
}

/** What steps found, for those after them. */
export interface TourState {
  workspace: Workspace;
  session: Session;
  /** The instant of the secure call, and of its return. */
  call?: { at: number; vp: number; name: string; end?: number };
}

const services = ['RetrieveMailbox', 'CreateSecureAllocation', 'CreateSecureImage'];

/** The first call of a service that is worth a tour; else the first call at all. */
async function find_call(tour: TourState): Promise<boolean> {
  if (tour.call !== undefined) return true;
  const wanted = [...services.map((name) => `kind == VtlCall and name == "${name}"`), 'kind == VtlCall'];
  for (const query of wanted) {
    const { events } = await tour.session.call('events.list', { from: 0, maximum: 1, query });
    const event = events[0];
    if (event === undefined) continue;
    const returns = await tour.session.call('events.list', { from: event.at + 1, maximum: 1, query: `kind == VtlReturn and vp == ${event.vp}` });
    tour.call = { at: event.at, vp: event.vp, name: event.name, ...(returns.events[0] ? { end: returns.events[0].at } : {}) };
    return true;
  }
  return false;
}

async function go_to_call(tour: TourState): Promise<boolean> {
  return (await find_call(tour)) && tour.session.go({ at: tour.call!.at, vp: tour.call!.vp, vtl: 0 });
}

async function go_inside(tour: TourState): Promise<boolean> {
  if (!(await go_to_call(tour))) return false;
  await tour.session.step({ kind: 'into' });
  return tour.session.focus.vtl === 1;
}

/** The page that the secure kernel executes from, as the normal world would see it. */
async function show_secret_page(tour: TourState): Promise<boolean> {
  if (!(await go_inside(tour))) return false;
  const { session } = tour;
  const walk = await session.call('walk', { focus: session.focus, address: session.stop?.place.address ?? '0x0', access: 'execute' });
  if (walk.gpa === undefined) return false;
  session.datum = { kind: 'memory', space: 'gpa', address: `0x${(BigInt(walk.gpa) & ~0xfffn).toString(16)}`, length: 16, vtl: 0 };
  return true;
}

async function go_to_theft(tour: TourState): Promise<boolean> {
  const { session } = tour;
  const { events } = await session.call('events.list', { from: 0, maximum: 1, query: 'kind == Intercept and vtl == 0' });
  const event = events[0];
  if (event === undefined) return false;
  if (!(await session.go({ at: event.at, vp: event.vp, vtl: 0 }))) return false;
  session.datum = { kind: 'memory', space: 'gva', address: event.a, length: 8, vtl: 0 };
  return true;
}

export const steps: readonly TourStep[] = [
  {
    title: 'Two worlds on one line of time',
    text: [
      'This machine runs two kernels at once. NT and its programs live in VTL 0, the blue lane; the secure kernel and its trustlets live in VTL 1, the orange one. The hypervisor keeps them apart.',
      'Time goes from left to right, and you can walk in it both ways: every key that steps forwards steps back with Ctrl.',
    ],
    look: 'Timeline',
    layout: 'secure-call',
  },
  {
    title: 'A secure call begins',
    text: [
      'Here NT asks the secure kernel for something. It cannot call it: it executes VMCALL in a page that the hypervisor gave it, and the processor changes worlds.',
      'The line with ▶ is about to execute. Nothing has happened yet.',
    ],
    look: 'Disassembly',
    layout: 'secure-call',
    enter: go_to_call,
  },
  {
    title: 'The message is in the registers',
    text: [
      'Both worlds have registers of their own: RIP, RSP, control registers. General and XMM registers are shared, so they carry the message: RBX and XMM10 to XMM15 hold the 104 bytes that NT calls SKCALL.',
      'Compare the two columns: VTL 1 waits where it left off the last time.',
    ],
    look: 'Registers',
    layout: 'secure-call',
    enter: go_to_call,
  },
  {
    title: 'Into the other world',
    text: [
      'One step further, and the processor is in VTL 1: another CR3, another stack, other rights. The title says VTL 1, and the code is the secure kernel’s.',
      'Press Ctrl+F11 to step back across the border, and F11 to cross it again.',
    ],
    look: 'Disassembly',
    layout: 'secure-call',
    enter: go_inside,
  },
  {
    title: 'One call, one tree',
    text: [
      'The tree has the whole call across both worlds: what the secure kernel did for it, hypercalls that changed rights, calls back into NT, and what each cost.',
      'Enter on a row goes to its beginning.',
    ],
    look: 'Calls',
    layout: 'secure-call',
    enter: go_inside,
  },
  {
    title: 'The same page, seen from both worlds',
    text: [
      'This is the physical page that the secure kernel executes from, as VTL 0 sees it: ?? means that the second stage of translation denies it. Unmapped memory would be --.',
      'Choose VTL 1 in the pane to see what is there.',
    ],
    look: 'Memory',
    layout: 'secure-call',
    enter: show_secret_page,
  },
  {
    title: 'The answer',
    text: [
      'The secure kernel is done and executes its own VMCALL, the VTL return. The status is in the same registers. NT goes on where it stopped, and has seen nothing of what happened between.',
      'From here, Ctrl+F10 steps back over the whole call at once.',
    ],
    look: 'Registers',
    layout: 'secure-call',
    enter: async (tour) =>
      (await find_call(tour)) && tour.call!.end !== undefined && tour.session.go({ at: tour.call!.end, vp: tour.call!.vp, vtl: 1 }),
  },
  {
    title: 'A thief',
    text: [
      'A driver in VTL 0, with every right that NT can give, reads a page of a trustlet. It even wrote its own page tables: the first stage grants the access.',
      'The walk shows both stages, and the entry that said no: the rights that VTL 1 took from VTL 0.',
    ],
    look: 'Page walk',
    layout: 'slat-fault',
    enter: go_to_theft,
  },
  {
    title: 'Who took the right away?',
    text: [
      'Ask it of the page in the walk: “who set this” goes back to the hypercall of VTL 1 that protected the page, long before the thief came. m keeps the place as a bookmark.',
      'That was it. ? has all keys, Ctrl+K finds everything by name, and the recording is yours: nothing you do here changes it.',
    ],
    look: 'SLAT map',
    layout: 'slat-fault',
    enter: go_to_theft,
  },
];
