// What is under the pointer, in words.
import { count } from '../core/text';
import { visible } from '../parts/untrusted';
import type { Event } from '../rpc/interface';
import type { Span } from './axis';
import type { Flow } from './flows';
import type { Lane } from './lanes';
import { x_of_event } from './paint';
import type { Scale } from './scale';
import { count_of, vtl_share } from './tiles';

const longest = 160;

/** "instants 12 to 40", "instant 12". */
export function instants_text(span: Span): string {
  return span.to - span.from <= 1 ? `instant ${count(span.from)}` : `instants ${count(span.from)} to ${count(span.to)}`;
}

export function flow_lines(flow: Flow): string[] {
  const { call } = flow;
  const cost =
    call.inclusive === undefined ? 'has not returned' : `${count(call.inclusive)} instants, ${count(call.exclusive ?? call.inclusive)} without calls inside it`;
  return [
    `VP ${call.vp} VTL ${call.from_vtl} → VTL ${call.to_vtl}: ${visible(call.name || call.text, longest)}`,
    visible(call.text, longest),
    `instant ${count(call.at)}${call.end === undefined ? '' : ` to ${count(call.end)}`} · ${cost}`,
  ];
}

/** Of the cell at a pixel; empty where nothing is known. */
export function cell_lines(scale: Scale, lane: Lane, x: number, kinds: readonly string[]): string[] {
  const cell = scale.cell(scale.unit(x));
  if (cell < 0) return [];
  const tile = scale.cells.tile[cell]!;
  const bucket = scale.cells.bucket[cell]!;
  const where = instants_text(scale.instants(cell));
  if (lane.sort === 'vtl') {
    const { ran, all } = vtl_share(tile, bucket, lane.vp!, lane.vtl!);
    return [`${lane.title}: ${all === 0 ? 'no time passes' : `${((100 * ran) / all).toFixed(ran === all ? 0 : 1)} % of the time`}`, where];
  }
  const names = lane.kinds.length > 0 ? lane.kinds : kinds;
  const found = names.map((name) => ({ name, number: count_of(tile, bucket, [kinds.indexOf(name)]) })).filter(({ number }) => number > 0);
  const what = found.map(({ name, number }) => `${count(number)} ${name}`).join(', ');
  return [`${visible(lane.title, 60)}: ${what === '' ? 'none' : what}`, where];
}

/** The event of a lane that is drawn nearest to a pixel, at most so far away. */
export function event_near(scale: Scale, lane: Lane, events: readonly Event[], x: number, reach = 8): Event | undefined {
  let best: Event | undefined;
  let distance = reach + 1;
  for (const event of events) {
    if (!lane.kinds.includes(event.kind) || (lane.vp !== undefined && lane.vp !== event.vp)) continue;
    const at = x_of_event(scale, event);
    if (at === undefined || Math.abs(at - x) >= distance) continue;
    distance = Math.abs(at - x);
    best = event;
  }
  return best;
}

export function event_lines(event: Event): string[] {
  return [visible(event.text, 2 * longest), `instant ${count(event.at)} · VP ${event.vp} VTL ${event.vtl} · ${visible(event.place.text, longest)}`];
}

/** Of what is in sight: for those who read rather than look. */
export interface LaneSum {
  title: string;
  text: string;
}
export function sums(scale: Scale, lanes: readonly Lane[], kinds: readonly string[], query_scale: (query: string) => Scale | undefined): LaneSum[] {
  return lanes.map((lane) => {
    if (lane.sort === 'vtl') return { title: lane.title, text: share_text(scale, lane) };
    const of = lane.query === undefined ? scale : query_scale(lane.query);
    const numbers = lane.query === undefined ? lane.kinds.map((name) => kinds.indexOf(name)) : kinds.map((_, i) => i);
    let sum = 0;
    if (of !== undefined) for (let i = 0; i < of.cells.length; ++i) sum += count_of(of.cells.tile[i]!, of.cells.bucket[i]!, numbers);
    return { title: visible(lane.title, 60), text: `${count(sum)} events` };
  });
}

function share_text(scale: Scale, lane: Lane): string {
  let ran = 0;
  let all = 0;
  for (let i = 0; i < scale.cells.length; ++i) {
    const share = vtl_share(scale.cells.tile[i]!, scale.cells.bucket[i]!, lane.vp!, lane.vtl!);
    ran += share.ran;
    all += share.all;
  }
  return all === 0 ? 'not known' : `${count(ran)} instants, ${((100 * ran) / all).toFixed(1)} % of the time`;
}
