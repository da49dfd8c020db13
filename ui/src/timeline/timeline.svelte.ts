// The timeline of one run: what is in sight, chosen and pointed at. Components draw it and hand on what somebody does.
import type { Session } from '../core/session.svelte';
import { load, store } from '../core/settings.svelte';
import { asRpcError, code } from '../rpc/errors';
import type { Event } from '../rpc/interface';
import { centre, grown, length_of, move_by, narrowest, shows_all, within, zoom_about, type Axis, type Span } from './axis';
import { SummaryData } from './data.svelte';
import { default_choice, is_choice, lanes_of, place, query_of, type Lane, type LaneChoice } from './lanes';
import { Scale } from './scale';
import type { Mark } from './paint';

const most_hits = 1000;
const most_queries = 16;
const is_axis = (value: unknown): value is Axis => value === 'events' || value === 'time';

export class TimelineModel {
  axis = $state<Axis>(load('timeline.axis', 'events', is_axis));
  span = $state.raw<Span>({ from: 0, to: 1 });
  /** Of the lanes' canvas: pixels. */
  width = $state(1000);
  scroll = $state(0);
  choice = $state.raw<LaneChoice>(load('timeline.lanes', default_choice, is_choice));
  queries = $state.raw<readonly string[]>([]);
  selected_lane = $state<string>();
  selection = $state.raw<Span>();
  /** Somebody drags the focus: the instant under the pointer. */
  scrubbing = $state<number>();
  /** Events that came while the view stayed where it was. */
  news = $state(0);
  hits = $state.raw<readonly Mark[]>([]);

  readonly session: Session;
  readonly data: SummaryData;

  readonly wholes = $derived.by(() => this.#wholes());
  readonly whole = $derived(this.wholes[this.axis]);
  readonly scale = $derived.by(() => {
    void this.data.version;
    void this.wholes;
    return new Scale(this.axis, this.span, this.width, this.data.cells(this.axis, this.span, this.width));
  });
  readonly whole_scale = $derived.by(() => {
    void this.data.version;
    return new Scale(this.axis, this.whole, this.width, this.data.cells(this.axis, this.whole, this.width));
  });
  readonly #levels = $derived.by(() => this.#count_levels());
  readonly lanes = $derived(lanes_of(this.#levels, this.queries));
  readonly layout = $derived(place(this.lanes, this.choice, this.scroll));
  readonly zoomed = $derived(!shows_all(this.span, this.whole));

  #former: Record<Axis, Span> | undefined;
  #wanted: number | undefined; // where a drag goes next
  #going = false;

  constructor(session: Session) {
    this.session = session;
    this.data = new SummaryData(session);
  }

  // --- what there is

  #wholes(): Record<Axis, Span> {
    const { status, end } = this.session;
    return {
      events: { from: 0, to: Math.max(1, status?.events ?? 0) },
      time: { from: status?.beginning ?? 0, to: Math.max((status?.beginning ?? 0) + 1, end) },
    };
  }

  /** Two VTLs for each processor, and a third where it ran. */
  #count_levels(): number[] {
    const processors = Math.max(1, this.session.hello?.processors ?? 1);
    const levels = new Array<number>(processors).fill(2);
    const { cells } = this.whole_scale;
    for (const tile of new Set(cells.tile))
      for (let i = 2; i < tile.lanes.length; i += 3) if (tile.lanes[i]! > 0) levels[Math.floor((i % tile.columns) / 3)] = 3;
    return levels.slice(0, processors);
  }

  /** To be called when the run grew: a view at its end stays there if the focus is there too. */
  grow(): void {
    const after = this.wholes;
    const before = this.#former;
    this.#former = after;
    this.data.set_wholes(after.events, after.time);
    if (before === undefined || this.whole.to < before[this.axis].to) {
      this.span = after[this.axis];
      this.news = 0;
      return;
    }
    if (after[this.axis].to === before[this.axis].to) return;
    const follows = !this.session.hello?.live || this.session.focus.at >= before.time.to || length_of(before.events) <= 1;
    if (follows) this.span = grown(this.span, before[this.axis], after[this.axis]);
    else this.news += after.events.to - before.events.to;
  }

  /** Another run: nothing of the former one stays. */
  forget(): void {
    this.data.forget();
    this.selection = undefined;
  }

  // --- looking

  set_axis(axis: Axis): void {
    if (axis === this.axis) return;
    const rows = this.scale.rows();
    const instants = this.scale.instants_in_sight();
    const all = !this.zoomed;
    this.axis = axis;
    store('timeline.axis', axis);
    this.selection = undefined;
    const same = axis === 'events' ? rows : instants;
    this.span = all || same === undefined || length_of(same) <= 0 ? this.whole : within(same, this.whole);
  }

  zoom(factor: number, x = this.width / 2): void {
    const unit = this.scale.unit(x);
    this.span = zoom_about(this.span, unit, factor, this.whole, narrowest(this.axis, this.scale.gap(unit), this.whole.to));
  }

  /** Keys zoom about the focus where it is in sight. */
  zoom_at_focus(factor: number): void {
    const x = this.focus_x();
    this.zoom(factor, x !== undefined && x >= 0 && x <= this.width ? x : this.width / 2);
  }

  pan(pixels: number): void {
    this.span = move_by(this.span, pixels / this.scale.pixels_per_unit, this.whole);
  }

  show_whole(): void {
    this.span = this.whole;
    this.news = 0;
  }

  show_span(span: Span): void {
    const gap = this.scale.gap((span.from + span.to) / 2);
    const shortest = narrowest(this.axis, gap, this.whole.to);
    const middle = (span.from + span.to) / 2;
    const length = Math.max(length_of(span), shortest);
    this.span = within({ from: middle - length / 2, to: middle + length / 2 }, this.whole);
  }

  focus_x(): number | undefined {
    return this.scale.x_at(this.session.focus.at);
  }

  /** The focus in the middle. */
  async show_focus(): Promise<void> {
    const unit = await this.#unit_of(this.session.focus.at);
    if (unit !== undefined) this.span = centre(this.span, unit, this.whole);
  }

  async show_end(): Promise<void> {
    if (await this.session.go({ at: this.session.end })) this.span = within({ ...this.span, to: this.whole.to, from: this.whole.to - length_of(this.span) }, this.whole);
    this.news = 0;
  }

  /** Also of instants that are not in sight. */
  async #unit_of(instant: number): Promise<number | undefined> {
    const here = this.scale.unit_at(instant);
    if (here !== undefined) return here;
    try {
      return (await this.session.call('events.locate', { at: instant })).row;
    } catch (error) {
      this.#say(error);
      return this.whole_scale.unit_at(instant);
    }
  }

  // --- moving the focus

  /** While it is dragged: the last place wins, and none queues up. */
  async scrub(instant: number, vp?: number): Promise<void> {
    this.scrubbing = instant;
    this.#wanted = instant;
    if (this.#going) return;
    this.#going = true;
    while (this.#wanted !== undefined) {
      const at = this.#wanted;
      this.#wanted = undefined;
      if (at !== this.session.focus.at) await this.session.go({ at, ...(vp === undefined || vp === this.session.focus.vp ? {} : { vp }) });
    }
    this.#going = false;
    if (!this.session.scrubbing) this.scrubbing = undefined;
  }

  end_scrub(): void {
    this.session.scrubbing = false;
    if (!this.#going) this.scrubbing = undefined;
  }

  /** By what can be told apart at this zoom: an event, or what a pixel stands for. */
  async nudge(pixels: number): Promise<void> {
    const { scale, session } = this;
    const unit = scale.unit_at(session.focus.at) ?? (await this.#unit_of(session.focus.at));
    if (unit === undefined) return;
    const wanted = this.#beside(unit, pixels);
    const instant = scale.instant(wanted);
    if (instant === undefined) return;
    const at = instant === session.focus.at ? instant + Math.sign(pixels) : instant;
    if (await session.go({ at: Math.min(Math.max(at, session.status?.beginning ?? 0), session.end) })) this.keep_in_sight();
  }

  #beside(unit: number, pixels: number): number {
    const { scale } = this;
    if (scale.pixels_per_instant(unit) >= 2) return unit + Math.sign(pixels) / Math.max(1, scale.gap(unit)) + 1e-9;
    if (scale.pixels_per_unit >= 2 && Math.abs(pixels) === 1) return pixels > 0 ? Math.floor(unit) + 1 : Math.ceil(unit) - 1;
    return unit + pixels / scale.pixels_per_unit;
  }

  /** Moves no more than it takes. */
  keep_in_sight(): void {
    const x = this.focus_x();
    if (x === undefined) void this.show_focus();
    else if (x < 0 || x > this.width) this.pan(x < 0 ? x - this.width / 4 : x - (this.width * 3) / 4);
  }

  /** To the next event, or the one before, of the chosen lane; else of those that `interest` takes; else to a hypercall. */
  async to_event(back: boolean, interest?: string): Promise<void> {
    const lane = this.lane_of_interest();
    if (lane.sort === 'bookmarks') return this.#to_mark(this.session.bookmarks, back);
    if (lane.sort === 'hits') return this.#to_mark(this.hits, back);
    const until = lane.id === this.selected_lane ? query_of(lane) : (interest ?? query_of(lane));
    if (until !== undefined && (await this.session.run({ until, breakpoints: false, ...(back ? { back } : {}) }))) this.keep_in_sight();
  }

  async #to_mark(marks: readonly Mark[], back: boolean): Promise<void> {
    const { at } = this.session.focus;
    const places = marks.map((mark) => mark.at).sort((a, b) => a - b);
    const next = back ? places.filter((each) => each < at).pop() : places.find((each) => each > at);
    if (next === undefined) return this.session.say(`There is no ${back ? 'earlier' : 'later'} one.`);
    if (await this.session.go({ at: next })) this.keep_in_sight();
  }

  /** The chosen one, else hypercalls. */
  lane_of_interest(): Lane {
    return this.lanes.find((lane) => lane.id === this.selected_lane) ?? this.lanes.find((lane) => lane.id === 'hypercalls')!;
  }

  /** The first event of a lane between two instants, itself or undefined. */
  async event_of(lane: Lane, from: number, to: number): Promise<Event | undefined> {
    const query = query_of(lane);
    if (query === undefined) return undefined;
    try {
      const { events } = await this.session.call('events.list', { from, to, maximum: 1, query });
      return events[0];
    } catch (error) {
      this.#say(error);
      return undefined;
    }
  }

  // --- lanes

  choose(choice: LaneChoice): void {
    this.choice = choice;
    store('timeline.lanes', choice);
  }

  /** A lane of the events for which an expression is true. */
  add_query(text: string): void {
    const query = text.trim();
    if (query === '' || this.queries.includes(query)) return;
    if (this.queries.length >= most_queries) return this.session.say(`The timeline has ${most_queries} rows of queries: remove one first.`, 'warning');
    this.queries = [...this.queries, query];
    this.choose({ ...this.choice, hidden: this.choice.hidden.filter((id) => id !== `query:${query}`) });
    this.selected_lane = `query:${query}`;
  }

  remove_query(text: string): void {
    this.queries = this.queries.filter((query) => query !== text);
  }

  note_stop(): void {
    const { stop } = this.session;
    if (stop === undefined || stop.breakpoints.length === 0 || this.hits.some((hit) => hit.at === stop.focus.at)) return;
    this.hits = [...this.hits, { at: stop.focus.at, text: stop.text }].slice(-most_hits);
  }

  #say(error: unknown): void {
    const problem = asRpcError(error);
    if (problem.code !== code.disconnected) this.session.say(problem.message, 'warning');
  }
}
