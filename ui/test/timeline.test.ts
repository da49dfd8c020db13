import { describe, expect, test } from 'vitest';
import type { Bucket, CallNode, Event } from '../src/rpc/interface';
import { centre, grown, narrowest, round_step, short_count, shows_all, ticks, unit_of, within, x_of, zoom_about } from '../src/timeline/axis';
import { count_bars, share_height, vtl_bars } from '../src/timeline/bars';
import { cell_lines, event_near, sums } from '../src/timeline/details';
import { safe_name } from '../src/timeline/download';
import { flow_at, flows_of } from '../src/timeline/flows';
import { default_choice, is_choice, is_shown, lane_at, lanes_of, pin, place, query_of, show, type Lane } from '../src/timeline/lanes';
import { ruler_labels } from '../src/timeline/paint';
import { Scale } from '../src/timeline/scale';
import { level_for, tile_buckets, Tiles, type Missing } from '../src/timeline/tiles';
import { steady } from '../src/timeline/wishes';
import { bookmark_text, name_and_note } from '../src/core/bookmarks.svelte';

const kinds = ['Hypercall', 'VtlCall', 'Exception'];
const whole = { from: 0, to: 1000 };

/** As the program answers for events of which number `row` happens at instants[row]; VTL 1 runs at odd rows. */
function rows_answer(instants: readonly number[], end: number, { from, to, buckets }: Missing): Bucket[] {
  const at = (row: number) => instants[row] ?? end;
  return Array.from({ length: buckets }, (_, i) => {
    const size = (to - from) / buckets;
    const first = from + i * size;
    const lanes = [0, 0, 0];
    const counts = [0, 0, 0];
    for (let row = first; row < Math.min(first + size, instants.length); ++row) {
      lanes[row % 2]! += at(row + 1) - at(row);
      counts[row % 3]! += 1;
    }
    return { from: at(first), to: at(first + size), row: Math.min(first, instants.length), vtl0: lanes[0]!, vtl1: lanes[1]!, lanes, counts };
  });
}

function filled(instants: readonly number[], end: number, span: { from: number; to: number }, width: number, tiles = new Tiles()): Scale {
  const all = { from: 0, to: instants.length };
  for (;;) {
    const missing = tiles.missing(span, level_for(span, width), all);
    if (missing === undefined) break;
    expect(tiles.put(missing, kinds, rows_answer(instants, end, missing), all, true)).toBe(true);
  }
  return new Scale('events', span, width, tiles.cells(span, level_for(span, width), all));
}

describe('the axis', () => {
  test.each([0.5, 2, 0.001, 1000])('zooming by %d leaves the unit under the pointer where it was, unless an end is in the way', (factor) => {
    const span = { from: 400, to: 600 };
    const next = zoom_about(span, 450, factor, { from: 0, to: 1e6 }, 0.001);
    if (next.from > 0) expect(x_of(450, next, 1000)).toBeCloseTo(x_of(450, span, 1000), 6);
    expect(next.from).toBeGreaterThanOrEqual(0);
  });
  test('no zoom shows less than the shortest span, or more than the run', () => {
    expect(zoom_about({ from: 10, to: 30 }, 20, 0.01, whole, 12)).toEqual({ from: 14, to: 26 });
    expect(zoom_about({ from: 10, to: 900 }, 20, 5, whole, 12)).toEqual(whole);
  });
  test('a span stays within the run', () => {
    expect(within({ from: -5, to: 10 }, whole)).toEqual({ from: 0, to: 15 });
    expect(within({ from: 995, to: 1010 }, whole)).toEqual({ from: 985, to: 1000 });
    expect(centre({ from: 0, to: 10 }, 500, whole)).toEqual({ from: 495, to: 505 });
  });
  test('the deepest zoom shows single instants, as far as numbers tell them apart', () => {
    expect(narrowest('time', 1, 2.3e9)).toBe(12);
    expect(narrowest('events', 1200, 900)).toBeCloseTo(0.01);
    const unit = 1e7;
    expect(unit + narrowest('events', 1e12, unit) / 4096).toBeGreaterThan(unit);
  });
  test('a growing run: a view of all shows all, one at the end stays there, others stay where they are', () => {
    const more = { from: 0, to: 1200 };
    expect(grown(whole, whole, more)).toEqual(more);
    expect(grown({ from: 900, to: 1000 }, whole, more)).toEqual({ from: 1100, to: 1200 });
    expect(grown({ from: 100, to: 200 }, whole, more)).toEqual({ from: 100, to: 200 });
    expect(shows_all(whole, more)).toBe(false);
  });
  test.each([
    [1, 1],
    [1.2, 2],
    [3, 5],
    [6, 10],
    [0.1, 1],
    [1234, 2000],
  ])('a step of at least %d is %d', (least, step) => expect(round_step(least)).toBe(step));
  test('labels are far enough from each other', () => {
    const { step, values } = ticks(0, 2.33e9, 1590, 110);
    expect((step / 2.33e9) * 1590).toBeGreaterThanOrEqual(110);
    expect(values.length).toBeLessThanOrEqual(1590 / 110 + 1);
    expect(ticks(5, 5, 100, 10).values).toEqual([]);
  });
  test('numbers of labels are short where the step permits it', () => {
    expect(short_count(2_000_000_000, 500_000_000)).toBe('2.0 G');
    expect(short_count(4_853_409, 1)).toBe('4,853,409');
    expect(short_count(12_000_000, 2_000_000)).toBe('12 M');
  });
});

describe('the pyramid', () => {
  test('a bucket is one to two pixels wide, or one unit', () => {
    expect(level_for({ from: 0, to: 1590 }, 1590)).toBe(0);
    expect(level_for({ from: 0, to: 1591 }, 1590)).toBe(1);
    expect(level_for({ from: 0, to: 3 }, 1590)).toBe(0);
    expect(2 ** level_for({ from: 0, to: 2.33e9 }, 1590) * (1590 / 2.33e9)).toBeGreaterThanOrEqual(1);
  });
  test('what is known is not asked for again, what is not is asked for in one piece', () => {
    const tiles = new Tiles();
    const all = { from: 0, to: 100_000 };
    const first = tiles.missing({ from: 300, to: 900 }, 0, all)!;
    expect(first).toMatchObject({ from: 256, to: 1024, buckets: 768 });
    tiles.put(first, kinds, rows_answer([], 0, first), all, true);
    expect(tiles.missing({ from: 300, to: 900 }, 0, all)).toBeUndefined();
    expect(tiles.missing({ from: 300, to: 1100 }, 0, all)).toMatchObject({ from: 1024, to: 1280 });
  });
  test('no request asks for more buckets than the program gives', () => {
    const missing = new Tiles().missing({ from: 0, to: 100_000 }, 0, { from: 0, to: 100_000 })!;
    expect(missing.buckets).toBeLessThanOrEqual(4096);
  });
  test('an answer of another length is none, and one that is not complete is drawn and asked for again', () => {
    const tiles = new Tiles();
    const missing = tiles.missing(whole, 0, whole)!;
    expect(tiles.put(missing, kinds, [], whole, true)).toBe(false);
    tiles.put(missing, kinds, rows_answer([], 0, missing), whole, false);
    expect(tiles.cells(whole, 0, whole).sharp).toBe(true);
    expect(tiles.missing(whole, 0, whole)).toEqual(missing);
  });
  test('a tile over the end of a run that grew is asked for again, and drawn meanwhile', () => {
    const tiles = new Tiles();
    const missing = tiles.missing({ from: 0, to: 100 }, 0, { from: 0, to: 100 })!;
    tiles.put(missing, kinds, rows_answer([1, 2, 3], 100, missing), { from: 0, to: 100 }, true);
    const more = { from: 0, to: 120 };
    expect(tiles.missing({ from: 0, to: 100 }, 0, more)).toBeDefined();
    expect(tiles.cells({ from: 0, to: 100 }, 0, more).sharp).toBe(true);
  });
  test('coarser tiles stand in for finer ones that are not there, and finer ones for coarser', () => {
    const instants = Array.from({ length: 4096 }, (_, i) => 10 * i);
    const tiles = new Tiles();
    filled(instants, 50_000, { from: 0, to: 4096 }, 1000, tiles);
    const zoomed = tiles.cells({ from: 100, to: 200 }, 0, { from: 0, to: 4096 });
    expect(zoomed.sharp).toBe(false);
    expect(zoomed.from[0]).toBe(100);
    expect(zoomed.to[zoomed.length - 1]).toBe(200);
    const out = tiles.cells({ from: 0, to: 4096 }, 4, { from: 0, to: 4096 }); // what was filled is level 3
    expect(out.sharp).toBe(false);
    expect(out.length).toBe(4096 / 8);
    expect(out.to[out.length - 1]).toBe(4096);
  });
  test('it keeps what was used last, and no more than it may', () => {
    const tiles = new Tiles(4);
    for (let i = 0; i < 10; ++i) {
      const missing = tiles.missing({ from: i * tile_buckets, to: (i + 1) * tile_buckets }, 0, { from: 0, to: 1e6 })!;
      tiles.put(missing, kinds, rows_answer([], 0, missing), { from: 0, to: 1e6 }, true);
    }
    expect(tiles.size).toBe(4);
  });
});

describe('between pixels and instants', () => {
  const instants = [100, 100, 250, 251, 1000, 5_000_000];
  const scale = filled(instants, 6_000_000, { from: 0, to: 6 }, 600);

  test('an event stands at its row, several of one instant at the first', () => {
    expect(scale.unit_at(100)).toBe(0);
    expect(scale.unit_at(250)).toBe(2);
    expect(scale.unit_at(5_000_000)).toBe(5);
  });
  test('instants between events are parts of the row', () => {
    expect(scale.unit_at(175)).toBeCloseTo(1.5);
    expect(scale.instant(1.5)).toBe(175);
    expect(scale.instant(4.5)).toBe(Math.floor(1000 + 4_999_000 / 2));
  });
  test('what is before the first event stands at it, what is after the end nowhere', () => {
    expect(scale.unit_at(3)).toBe(0);
    expect(scale.unit_at(7_000_000)).toBeUndefined();
  });
  test.each(instants)('there and back from instant %d', (instant) => expect(scale.instant(scale.unit_at(instant)!)).toBe(instant));
  test('how far apart instants are drawn', () => {
    expect(scale.pixels_per_instant(3.5)).toBeCloseTo(100 / 749);
    expect(scale.gap(4.2)).toBe(4_999_000);
    expect(scale.pixels_per_instant(0.5)).toBe(0);
  });
  test('rows and instants in sight', () => {
    expect(scale.rows()).toEqual({ from: 0, to: 6 });
    expect(scale.instants_in_sight()).toEqual({ from: 100, to: 6_000_000 });
  });
  test('labels of a view between two events are instants', () => {
    const deep = new Scale('events', { from: 3.1, to: 3.2 }, 600, scale.cells);
    for (const { text } of ruler_labels(deep)) expect(text).toMatch(/^@[\d,]+$/);
    expect(ruler_labels(deep).length).toBeGreaterThan(0);
  });
});

describe('bars', () => {
  const instants = Array.from({ length: 6 }, (_, i) => 10 * i);
  const scale = filled(instants, 60, { from: 0, to: 6 }, 60);
  const vtl1 = lanes_of([2], []).find((lane) => lane.id === 'vp0.vtl1')!;

  test('a VTL that ran all the time is a bar of the whole height', () => {
    expect(vtl_bars(scale, vtl1, 20)).toEqual([
      { x0: 10, x1: 20, height: 20 },
      { x0: 30, x1: 40, height: 20 },
      { x0: 50, x1: 60, height: 20 },
    ]);
  });
  test('neighbours of one height are one bar', () => {
    const still = filled([0, 0, 0, 0], 40, { from: 0, to: 4 }, 40);
    const bars = vtl_bars(still, vtl1, 20);
    expect(bars.length).toBeLessThanOrEqual(1);
  });
  test('a small part of the time is seen', () => {
    expect(share_height(1e-9, 20)).toBe(2);
    expect(share_height(0, 20)).toBe(0);
    expect(share_height(1, 20)).toBe(20);
  });
  test('single events are marks at their beginning', () => {
    expect(count_bars(scale, [0], 20)).toEqual([
      { x0: 0, x1: 6, height: 20 },
      { x0: 30, x1: 36, height: 20 },
    ]);
    expect(count_bars(scale, [-1], 20)).toEqual([]);
  });
  test('never more bars than pixels', () => {
    const many = Array.from({ length: 20_000 }, (_, i) => i * 3);
    const wide = filled(many, 60_000, { from: 0, to: 20_000 }, 500);
    expect(count_bars(wide, [0, 1, 2], 20).length).toBeLessThanOrEqual(500);
  });
});

describe('lanes', () => {
  test('two VTLs for each processor, three where it has them, rows for queries', () => {
    const ids = lanes_of([2, 3], ['vtl == 1']).map((lane) => lane.id);
    expect(ids.slice(0, 5)).toEqual(['vp0.vtl0', 'vp0.vtl1', 'vp1.vtl0', 'vp1.vtl1', 'vp1.vtl2']);
    expect(ids).toContain('query:vtl == 1');
  });
  test('what the keys look for', () => {
    const lanes = lanes_of([2, 2], ['status != 0']);
    const find = (id: string) => query_of(lanes.find((lane) => lane.id === id)!);
    expect(find('vp1.vtl1')).toBe('(kind == VtlCall or kind == VtlReturn or kind == VtlInterruptEntry) and vp == 1');
    expect(find('tlb')).toBe('kind == TlbFlush');
    expect(find('query:status != 0')).toBe('status != 0');
    expect(find('bookmarks')).toBeUndefined();
  });
  test('hidden ones take no room, pinned ones stay on top while others scroll', () => {
    const lanes = lanes_of([2], []);
    const [first, second] = lanes as [Lane, Lane];
    let choice = show(first, default_choice, false);
    expect(is_shown(first, choice)).toBe(false);
    choice = pin(lanes.find((lane) => lane.id === 'tlb')!, choice, true);
    const layout = place(lanes, choice, 30);
    expect(layout.placed[0]).toMatchObject({ pinned: true, y: 4 });
    expect(layout.placed.some(({ lane }) => lane === first)).toBe(false);
    expect(layout.placed.find(({ lane }) => lane === second)!.y).toBeLessThan(layout.pinned_height);
    expect(lane_at(layout, 6)?.lane.id).toBe('tlb');
    expect(lane_at(layout, layout.pinned_height + 1000)).toBeUndefined();
    expect(is_shown(first, show(first, choice, true))).toBe(true);
  });
  test('a quiet lane is shown only if it was wanted', () => {
    const quiet = lanes_of([2], []).find((lane) => lane.quiet)!;
    expect(is_shown(quiet, default_choice)).toBe(false);
    expect(is_shown(quiet, show(quiet, default_choice, true))).toBe(true);
  });
  test.each([undefined, null, {}, { hidden: 1 }, { hidden: [], shown: [2], pinned: [] }])('%j is no choice of lanes', (value) =>
    expect(is_choice(value)).toBe(false),
  );
});

describe('calls', () => {
  const scale = filled([0, 10, 20, 30, 40, 50], 60, { from: 0, to: 6 }, 600);
  const call = (at: number, end: number | undefined, depth: number, from_vtl: number, to_vtl: number): CallNode => ({
    at,
    ...(end === undefined ? {} : { end }),
    vp: 0,
    depth,
    from_vtl,
    to_vtl,
    kind: 'vtl_call',
    name: `call ${at}`,
    text: '',
  });
  const layout = place(lanes_of([2], []), default_choice, 0);
  const flows = flows_of([call(10, 50, 0, 0, 1), call(20, 30, 1, 1, 0), call(55, undefined, 0, 0, 1)], scale, layout);

  test('an arrow goes from the caller to the callee, and back at the return', () => {
    expect(flows[0]).toMatchObject({ x0: 100, x1: 500, returned: true });
    expect(flows[0]!.to_y).toBeGreaterThan(flows[0]!.from_y);
    expect(flows[1]!.to_y).toBeLessThan(flows[1]!.from_y);
    expect(flows[2]).toMatchObject({ x1: 600, returned: false });
  });
  test('a name ends where the callee calls', () => expect(flows[0]!.room).toBe(100));
  test('a call that is a dot has no room for a name', () => {
    const dot = filled([0, 10, 20, 21, 1_000_000], 2_000_000, { from: 0, to: 5 }, 5);
    expect(flows_of([call(20, 21, 0, 0, 1)], new Scale('time', { from: 0, to: 2e6 }, 500, dot.cells), layout)[0]!.room).toBeLessThan(1);
  });
  test('the pointer finds the innermost call', () => {
    expect(flow_at(flows, 250, flows[1]!.top + 3)?.call.depth).toBe(1);
    expect(flow_at(flows, 150, flows[0]!.top + 3)?.call.at).toBe(10);
    expect(flow_at(flows, 50, flows[0]!.top + 3)).toBeUndefined();
  });
  test('those of other processors, or out of sight, are none', () => {
    expect(flows_of([{ ...call(10, 20, 0, 0, 1), vp: 3 }], scale, layout)).toEqual([]);
  });
});

describe('words', () => {
  const scale = filled([0, 10, 20, 30], 40, { from: 0, to: 4 }, 400);
  const lanes = lanes_of([2], []);
  const hypercalls = lanes.find((lane) => lane.id === 'hypercalls')!;
  const event = (number: number, at: number, kind: string): Event => ({
    at,
    number,
    vp: 0,
    vtl: 0,
    kind,
    name: '',
    arguments: [],
    outcome: '',
    a: '0x0',
    b: '0x0',
    c: '0x0',
    place: { address: '0x0', text: 'nt' },
    text: '\u202eevil',
  });
  test('of a cell', () => {
    expect(cell_lines(scale, hypercalls, 10, kinds)[0]).toBe('Hypercalls: 1 Hypercall');
    expect(cell_lines(scale, lanes[0]!, 10, kinds)[0]).toBe('VTL 0: 100 % of the time');
    expect(cell_lines(scale, hypercalls, -50, kinds)).toEqual([]);
  });
  test('the event nearest to the pointer, of the lane', () => {
    const events = [event(0, 0, 'Hypercall'), event(1, 10, 'Exception')];
    expect(event_near(scale, hypercalls, events, 4)?.number).toBe(0);
    expect(event_near(scale, hypercalls, events, 100)).toBeUndefined();
  });
  test('of what is in sight, for those who do not see it', () => {
    const table = sums(scale, lanes, kinds, () => undefined);
    expect(table.find(({ title }) => title === 'VTL 1')!.text).toBe('20 instants, 50.0 % of the time');
    expect(table.find(({ title }) => title === 'Hypercalls')!.text).toBe('3 events');
  });
  test.each([
    ['../../etc/passwd', 'etc_passwd'],
    ['', 'airlock'],
    ['run.perfetto-trace', 'run.perfetto-trace'],
    ['\u202egpj.exe', 'gpj.exe'],
  ])('a file %j is saved as %s', (name, safe) => expect(safe_name(name)).toBe(safe));
  test('a bookmark is a name and a note', () => {
    expect(name_and_note({ text: bookmark_text(' a\nb ', ' note\nmore ') })).toEqual({ name: 'a b', note: 'note\nmore' });
    expect(bookmark_text('x', '  ')).toBe('x');
  });
});

test.each([
  [100, 110],
  [4_853_409, 4_900_000],
  [0, 2.33e9],
  [7, 7],
])('what is asked for around %d to %d holds it, and not much more', (from, to) => {
  const wide = steady({ from, to });
  expect(wide.from).toBeLessThanOrEqual(from);
  expect(wide.to).toBeGreaterThanOrEqual(to);
  expect(wide.to).toBeGreaterThan(wide.from);
  expect(wide.to - wide.from).toBeLessThanOrEqual(Math.max(4, 3 * (to - from)));
  expect(unit_of(0, { from, to: to + 1 }, 10)).toBe(from);
});
