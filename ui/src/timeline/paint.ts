// Draws the timeline into a canvas: nothing here asks for anything.
import type { Event } from '../rpc/interface';
import { count } from '../core/text';
import { shows_all, short_count, ticks, type Span } from './axis';
import { count_bars, vtl_bars, type Bar } from './bars';
import type { Flow } from './flows';
import type { Lane, Layout, Placed } from './lanes';
import type { Scale } from './scale';

/** Colours of the theme, by custom property. */
export type Palette = (property: string) => string;

/** An instruction of the deepest zoom. */
export interface Instruction {
  at: number;
  vp: number;
  vtl: number;
  text: string;
}

export interface Mark {
  at: number;
  text: string;
}

export interface Picture {
  scale: Scale;
  layout: Layout;
  height: number;
  palette: Palette;
  /** Numbers of kinds of events, by name: of the answers. */
  kind: (name: string) => number;
  /** Of a query's lane; undefined: not known yet. */
  query_scale: (query: string) => Scale | undefined;
  bookmarks: readonly Mark[];
  hits: readonly Mark[];
  /** Events in sight, where they are few. */
  events: readonly Event[];
  flows: readonly Flow[];
  instructions: readonly Instruction[];
  selected_lane: string | undefined;
}

const font = '10px ui-monospace, "DejaVu Sans Mono", monospace';
const narrow_letter = 6.1; // width of a letter of that font: pixels

export function paint_lanes(context: CanvasRenderingContext2D, picture: Picture): void {
  const { layout, palette, scale, height } = picture;
  context.font = font;
  context.textBaseline = 'middle';
  context.fillStyle = palette('--back');
  context.fillRect(0, 0, scale.width, height);
  const scrolling = layout.placed.filter((each) => !each.pinned);
  for (const placed of scrolling) paint_lane(context, picture, placed);
  if (layout.pinned_height > 0) {
    context.fillStyle = palette('--back');
    context.fillRect(0, 0, scale.width, layout.pinned_height);
    for (const placed of layout.placed) if (placed.pinned) paint_lane(context, picture, placed);
  }
  paint_flows(context, picture.flows, palette, undefined);
  paint_instructions(context, picture);
}

function paint_lane(context: CanvasRenderingContext2D, picture: Picture, placed: Placed): void {
  const { palette, scale, height } = picture;
  const { lane, y } = placed;
  if (y > height || y + placed.height < 0) return;
  context.fillStyle = palette(lane.id === picture.selected_lane ? '--selected' : '--sunken');
  context.fillRect(0, y, scale.width, placed.height);
  context.fillStyle = palette(lane.colour);
  const kinds = lane.kinds.map(picture.kind);
  switch (lane.sort) {
    case 'vtl':
      return paint_bars(context, vtl_bars(scale, lane, placed.height), placed);
    case 'count':
      paint_bars(context, count_bars(scale, kinds, placed.height), placed);
      return paint_event_texts(context, picture, placed);
    case 'lines':
      paint_bars(context, count_bars(scale, kinds, placed.height, true), placed);
      return paint_event_texts(context, picture, placed);
    case 'faults':
      paint_faults(context, picture, placed);
      return paint_event_texts(context, picture, placed);
    case 'query': {
      const of = picture.query_scale(lane.query!);
      if (of !== undefined) paint_bars(context, count_bars(of, all_kinds(of), placed.height), placed);
      return;
    }
    case 'bookmarks':
      return paint_flags(context, picture, placed, picture.bookmarks);
    case 'hits':
      return paint_diamonds(context, picture, placed);
  }
}

function all_kinds(scale: Scale): number[] {
  return Array.from({ length: scale.cells.tile[0]?.kinds ?? 0 }, (_, i) => i);
}

function paint_bars(context: CanvasRenderingContext2D, bars: readonly Bar[], placed: { y: number; height: number }): void {
  const foot = placed.y + placed.height;
  for (const bar of bars) context.fillRect(bar.x0, foot - bar.height, bar.x1 - bar.x0, bar.height);
}

/** Intercepts over the whole height, exceptions over half of it, triple faults as a cross: told apart without colour. */
function paint_faults(context: CanvasRenderingContext2D, picture: Picture, placed: Placed): void {
  const { scale, palette, kind } = picture;
  const foot = placed.y + placed.height;
  context.fillStyle = palette('--warn');
  const half = Math.round(placed.height / 2);
  for (const bar of count_bars(scale, [kind('Exception')], half, true)) context.fillRect(bar.x0, foot - half, bar.x1 - bar.x0, half);
  context.fillStyle = palette('--bad');
  paint_bars(context, count_bars(scale, [kind('Intercept')], placed.height, true), placed);
  context.strokeStyle = palette('--bad');
  context.lineWidth = 2;
  for (const bar of count_bars(scale, [kind('TripleFault')], placed.height, true)) {
    const reach = placed.height / 2 - 2;
    const middle = placed.y + placed.height / 2;
    context.beginPath();
    context.moveTo(bar.x0 - reach, middle - reach);
    context.lineTo(bar.x0 + reach, middle + reach);
    context.moveTo(bar.x0 - reach, middle + reach);
    context.lineTo(bar.x0 + reach, middle - reach);
    context.stroke();
  }
}

/** Where events are far from each other: what they are. */
function paint_event_texts(context: CanvasRenderingContext2D, picture: Picture, placed: Placed): void {
  const { scale, palette, events } = picture;
  const mine = events.filter((event) => placed.lane.kinds.includes(event.kind));
  context.fillStyle = palette('--text');
  mine.forEach((event, i) => {
    const x = x_of_event(scale, event);
    if (x === undefined) return;
    const next = mine[i + 1];
    const end = (next === undefined ? undefined : x_of_event(scale, next)) ?? scale.width;
    const name = event.name === '' ? event.text : event.name;
    write(context, name, x + 9, placed.y + placed.height / 2, end - x - 12);
  });
}

/** Events of one instant stand apart on the axis of events. */
export function x_of_event(scale: Scale, event: Event): number | undefined {
  if (scale.axis === 'events' && event.number !== undefined) return scale.x(event.number);
  return scale.x_at(event.at);
}

function write(context: CanvasRenderingContext2D, text: string, x: number, y: number, width: number): void {
  const letters = Math.floor(width / narrow_letter);
  if (letters < 3) return;
  context.fillText(text.length <= letters ? text : `${text.slice(0, letters - 1)}…`, x, y);
}

function paint_flags(context: CanvasRenderingContext2D, picture: Picture, placed: Placed, marks: readonly Mark[]): void {
  const { scale, palette } = picture;
  const places = marks.map((mark) => ({ mark, x: scale.x_at(mark.at) ?? -1 })).filter(({ x }) => x >= 0 && x <= scale.width);
  places.sort((a, b) => a.x - b.x);
  places.forEach(({ mark, x }, i) => {
    const left = Math.round(x);
    context.fillStyle = palette('--accent');
    context.fillRect(left, placed.y, 1, placed.height);
    context.beginPath();
    context.moveTo(left, placed.y);
    context.lineTo(left + 8, placed.y + 4);
    context.lineTo(left, placed.y + 8);
    context.fill();
    context.fillStyle = palette('--text');
    write(context, mark.text.split('\n')[0]!, left + 11, placed.y + placed.height / 2, (places[i + 1]?.x ?? scale.width) - left - 14);
  });
}

function paint_diamonds(context: CanvasRenderingContext2D, picture: Picture, placed: Placed): void {
  const middle = placed.y + placed.height / 2;
  for (const hit of picture.hits) {
    const x = picture.scale.x_at(hit.at);
    if (x === undefined || x < 0 || x > picture.scale.width) continue;
    context.beginPath();
    context.moveTo(x - 4, middle);
    context.lineTo(x, middle - 5);
    context.lineTo(x + 4, middle);
    context.lineTo(x, middle + 5);
    context.fill();
  }
}

/** `highlighted`: only this one, stronger. */
export function paint_flows(context: CanvasRenderingContext2D, flows: readonly Flow[], palette: Palette, highlighted: Flow | undefined): void {
  for (const flow of highlighted ? [highlighted] : flows) {
    const strong = highlighted !== undefined;
    context.strokeStyle = context.fillStyle = strong ? palette('--text') : palette(`--vtl${flow.call.to_vtl}`);
    context.lineWidth = strong ? 2 : 1;
    if (strong) context.strokeRect(flow.x0, flow.top - 1, Math.max(2, flow.x1 - flow.x0), flow.height + 2);
    arrow(context, flow.x0, flow.from_y, flow.to_y, strong ? 5 : 3);
    if (flow.returned && flow.x1 - flow.x0 >= 4) arrow(context, flow.x1, flow.to_y, flow.from_y, strong ? 5 : 3);
    if (!strong) name_call(context, flow, palette);
  }
}

function arrow(context: CanvasRenderingContext2D, x: number, from: number, to: number, head: number): void {
  const line = Math.round(x) + 0.5;
  const back = to > from ? -head : head;
  context.beginPath();
  context.moveTo(line, from);
  context.lineTo(line, to);
  context.stroke();
  context.beginPath();
  context.moveTo(line, to);
  context.lineTo(line - head, to + back);
  context.lineTo(line + head, to + back);
  context.fill();
}

/** In the lane of the callee, in the colour of what lies behind its bar. */
function name_call(context: CanvasRenderingContext2D, flow: Flow, palette: Palette): void {
  const left = Math.max(0, flow.x0);
  context.fillStyle = palette('--back');
  write(context, flow.call.name || flow.call.text, left + 5, flow.top + flow.height / 2 + 1, flow.room - 8);
}

function paint_instructions(context: CanvasRenderingContext2D, picture: Picture): void {
  const { scale, layout, palette, instructions } = picture;
  for (let i = 0; i < instructions.length; ++i) {
    const each = instructions[i]!;
    const lane = layout.placed.find(({ lane }) => is_world(lane, each));
    const x = scale.x_at(each.at);
    const end = scale.x_at(each.at + 1);
    if (lane === undefined || x === undefined || end === undefined || end < 0 || x > scale.width) continue;
    context.fillStyle = palette('--back');
    context.fillRect(Math.round(x), lane.y, 1, lane.height);
    write(context, each.text, x + 4, lane.y + lane.height / 2 + 1, end - x - 6);
  }
}

function is_world(lane: Lane, where: { vp: number; vtl: number }): boolean {
  return lane.sort === 'vtl' && lane.vp === where.vp && lane.vtl === where.vtl;
}

// --- the ruler above, and the whole run as a strip

export interface RulerLabel {
  x: number;
  text: string;
}

/** On the axis of events: the event's row, and its instant. Deep inside the time between two events: instants. */
export function ruler_labels(scale: Scale): RulerLabel[] {
  const apart = scale.axis === 'events' ? 170 : 110;
  const { span, width } = scale;
  if (scale.axis === 'events' && span.to - span.from < 3) return instant_labels(scale);
  const { step, values } = ticks(span.from, span.to, width, apart);
  return values.map((value) => ({
    x: scale.x(value),
    text: scale.axis === 'time' ? short_count(value, step) : `#${count(value)}  ${instant_text(scale, value)}`,
  }));
}

function instant_text(scale: Scale, unit: number): string {
  const instant = scale.instant(unit);
  return instant === undefined ? '' : `@${short_count(instant, Math.max(1, instant / 1000))}`;
}

function instant_labels(scale: Scale): RulerLabel[] {
  const sight = scale.instants_in_sight();
  if (sight === undefined) return [];
  const labels: RulerLabel[] = [];
  for (const value of ticks(sight.from, Math.max(sight.to, sight.from + 1), scale.width, 130).values) {
    const x = scale.x_at(value);
    if (x !== undefined && (labels.length === 0 || x - labels[labels.length - 1]!.x > 90)) labels.push({ x, text: `@${count(value)}` });
  }
  return labels;
}

export function paint_ruler(context: CanvasRenderingContext2D, scale: Scale, height: number, palette: Palette): void {
  context.font = font;
  context.textBaseline = 'middle';
  context.fillStyle = palette('--back');
  context.fillRect(0, 0, scale.width, height);
  for (const { x, text } of ruler_labels(scale)) {
    context.fillStyle = palette('--line');
    context.fillRect(Math.round(x), height - 6, 1, 6);
    context.fillStyle = palette('--dim');
    if (x + 4 + text.length * narrow_letter <= scale.width) context.fillText(text, x + 4, height / 2);
  }
}

function processors_of(scale: Scale): number {
  return Math.floor((scale.cells.tile[0]?.columns ?? 0) / 3);
}

/** The whole run, and the part in sight as a window in it. Where VTL 1 ran, and on top where something was refused. */
export function paint_minimap(context: CanvasRenderingContext2D, whole: Scale, span: Span, height: number, palette: Palette, kind: Picture['kind']): void {
  context.fillStyle = palette('--sunken');
  context.fillRect(0, 0, whole.width, height);
  context.fillStyle = palette('--dim');
  if (whole.axis === 'time') paint_bars(context, count_bars(whole, all_kinds(whole), height - 2), { y: 0, height });
  context.fillStyle = palette('--vtl1');
  for (let vp = 0; vp < processors_of(whole); ++vp) paint_bars(context, vtl_bars(whole, { vp, vtl: 1 }, height - 5), { y: 0, height });
  context.fillStyle = palette('--bad');
  for (const bar of count_bars(whole, [kind('Intercept'), kind('TripleFault')], 4, true)) context.fillRect(bar.x0, 0, bar.x1 - bar.x0, 4);
  if (shows_all(span, whole.span)) return;
  const x0 = Math.round(whole.x(span.from));
  const x1 = Math.max(x0 + 3, Math.round(whole.x(span.to)));
  context.strokeStyle = palette('--accent');
  context.lineWidth = 2;
  context.strokeRect(x0, 1, x1 - x0, height - 2);
}
