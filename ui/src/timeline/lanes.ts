// The lanes of the timeline: what each shows, and where it stands.

export type LaneSort = 'vtl' | 'count' | 'faults' | 'lines' | 'bookmarks' | 'hits' | 'query';

export interface Lane {
  /** In settings: stays the same. */
  id: string;
  title: string;
  sort: LaneSort;
  help: string;
  height: number;
  /** Custom property of app.css. */
  colour: string;
  /** Kinds of events, as the interface names them. */
  kinds: readonly string[];
  vp?: number;
  vtl?: number;
  query?: string;
  /** Shown only if somebody wants it. */
  quiet?: boolean;
}

const switches = ['VtlCall', 'VtlReturn', 'VtlInterruptEntry'];

const common: readonly Lane[] = [
  {
    id: 'hypercalls',
    title: 'Hypercalls',
    sort: 'count',
    height: 24,
    colour: '--hypervisor',
    kinds: ['Hypercall', 'VtlCall', 'VtlReturn'],
    help: 'Calls of the hypervisor: the higher, the more to a pixel',
  },
  {
    id: 'faults',
    title: 'Faults',
    sort: 'faults',
    height: 18,
    colour: '--bad',
    kinds: ['Intercept', 'Exception', 'TripleFault'],
    help: 'SLAT violations and other intercepts (whole height), exceptions (half of it), triple faults (a cross)',
  },
  {
    id: 'protection',
    title: 'Protection',
    sort: 'count',
    height: 18,
    colour: '--warn',
    kinds: ['ProtectionChange', 'VtlEnabled'],
    help: 'Changes of what a VTL may do with pages; VTLs that are enabled',
  },
  { id: 'tlb', title: 'TLB flushes', sort: 'lines', height: 14, colour: '--accent', kinds: ['TlbFlush'], help: 'Flushes of cached translations' },
  {
    id: 'interrupts',
    title: 'Interrupts',
    sort: 'count',
    height: 16,
    colour: '--good',
    kinds: ['Interrupt', 'VtlInterruptEntry'],
    help: 'Interrupts, and entries into a higher VTL because of one',
    quiet: true,
  },
  {
    id: 'system',
    title: 'System calls',
    sort: 'count',
    height: 16,
    colour: '--dim',
    kinds: ['SystemCall', 'MsrWrite'],
    help: 'System calls, and writes of model-specific registers',
    quiet: true,
  },
  {
    id: 'images',
    title: 'Images, texts',
    sort: 'lines',
    height: 14,
    colour: '--text',
    kinds: ['ImageLoaded', 'ImageUnloaded', 'ProcessCreated', 'ProcessExited', 'DebugPrint', 'Milestone', 'HypervisorLaunched', 'PowerOff'],
    help: 'Images and processes, what was printed, milestones',
    quiet: true,
  },
  { id: 'bookmarks', title: 'Bookmarks', sort: 'bookmarks', height: 16, colour: '--accent', kinds: [], help: 'Places that somebody marked' },
  {
    id: 'hits',
    title: 'Breakpoints',
    sort: 'hits',
    height: 14,
    colour: '--bad',
    kinds: [],
    help: 'Where this page stopped at breakpoints and watchpoints',
  },
];

/** `levels`: how many VTLs each processor has, at least two. */
export function lanes_of(levels: readonly number[], queries: readonly string[]): Lane[] {
  const worlds = levels.flatMap((count, vp) => Array.from({ length: count }, (_, vtl) => vtl_lane(vp, vtl, levels.length > 1)));
  const rows = queries.map((query): Lane => ({
    id: `query:${query}`,
    title: query,
    sort: 'query',
    height: 18,
    colour: '--changed',
    kinds: [],
    query,
    help: `Events for which this is true: ${query}`,
  }));
  return [...worlds, ...common, ...rows];
}

function vtl_lane(vp: number, vtl: number, several: boolean): Lane {
  return {
    id: `vp${vp}.vtl${vtl}`,
    title: several ? `VP ${vp} VTL ${vtl}` : `VTL ${vtl}`,
    sort: 'vtl',
    height: several ? 14 : 22,
    colour: `--vtl${vtl}`,
    kinds: switches,
    vp,
    vtl,
    help: `When processor ${vp} ran in VTL ${vtl}: the higher, the more of the time`,
  };
}

/** An expression that is true for the events of a lane; undefined: it shows no events. */
export function query_of(lane: Lane): string | undefined {
  if (lane.query !== undefined) return lane.query;
  if (lane.kinds.length === 0) return undefined;
  const kinds = lane.kinds.map((kind) => `kind == ${kind}`).join(' or ');
  return lane.sort === 'vtl' ? `(${kinds}) and vp == ${lane.vp}` : kinds;
}

/** What somebody wants to see: kept between visits. */
export interface LaneChoice {
  hidden: readonly string[];
  shown: readonly string[];
  pinned: readonly string[];
}
export const default_choice: LaneChoice = { hidden: [], shown: [], pinned: [] };

export function is_choice(value: unknown): value is LaneChoice {
  const texts = (each: unknown) => Array.isArray(each) && each.every((text) => typeof text === 'string');
  const choice = value as LaneChoice;
  return typeof value === 'object' && value !== null && texts(choice.hidden) && texts(choice.shown) && texts(choice.pinned);
}

export function is_shown(lane: Lane, choice: LaneChoice): boolean {
  return lane.quiet ? choice.shown.includes(lane.id) : !choice.hidden.includes(lane.id);
}

export function show(lane: Lane, choice: LaneChoice, wanted: boolean): LaneChoice {
  const without = (ids: readonly string[]) => ids.filter((id) => id !== lane.id);
  return {
    ...choice,
    shown: lane.quiet && wanted ? [...without(choice.shown), lane.id] : without(choice.shown),
    hidden: !lane.quiet && !wanted ? [...without(choice.hidden), lane.id] : without(choice.hidden),
  };
}

export function pin(lane: Lane, choice: LaneChoice, wanted: boolean): LaneChoice {
  const others = choice.pinned.filter((id) => id !== lane.id);
  return { ...choice, pinned: wanted ? [...others, lane.id] : others };
}

/** A lane and where it stands, in pixels from the top of what is in sight. */
export interface Placed {
  lane: Lane;
  y: number;
  height: number;
  pinned: boolean;
}
export interface Layout {
  placed: Placed[];
  /** Of all lanes: what scrolls. */
  height: number;
  /** Of the pinned ones, which stay. */
  pinned_height: number;
}

const gap = 4;
/** Between the VTLs of one processor there are arrows. */
const arrow_gap = 11;

export function place(lanes: readonly Lane[], choice: LaneChoice, scroll: number): Layout {
  const shown = lanes.filter((lane) => is_shown(lane, choice));
  const is_pinned = (lane: Lane) => choice.pinned.includes(lane.id);
  const ordered = [...shown.filter(is_pinned), ...shown.filter((lane) => !is_pinned(lane))];
  const placed: Placed[] = [];
  let y = gap;
  let pinned_height = 0;
  ordered.forEach((lane, i) => {
    const pinned = is_pinned(lane);
    placed.push({ lane, y: pinned ? y : y - scroll, height: lane.height, pinned });
    const next = ordered[i + 1];
    y += lane.height + (next && lane.sort === 'vtl' && next.sort === 'vtl' && next.vp === lane.vp ? arrow_gap : gap);
    if (pinned) pinned_height = y;
  });
  return { placed, height: y, pinned_height };
}

/** The lane at a height, gaps belonging to the lane above. Pinned ones lie over the others. */
export function lane_at(layout: Layout, y: number): Placed | undefined {
  const candidates = layout.placed.filter((each) => each.pinned === y < layout.pinned_height);
  return candidates.find((each) => y >= each.y - 1 && y < each.y + each.height + gap);
}

export function lane_of(layout: Layout, vp: number, vtl: number): Placed | undefined {
  return layout.placed.find((each) => each.lane.sort === 'vtl' && each.lane.vp === vp && each.lane.vtl === vtl);
}
