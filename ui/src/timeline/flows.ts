// Calls from one VTL into another as arrows between their lanes: to the callee where it was called, and back where it returned.
import type { CallNode } from '../rpc/interface';
import { lane_of, type Layout } from './lanes';
import type { Scale } from './scale';

/** More arrows than this in sight say nothing. */
export const most_flows = 250;

export interface Flow {
  call: CallNode;
  x0: number;
  /** Of the return; the end of what is in sight where it did not return. */
  x1: number;
  returned: boolean;
  /** Where the arrow to the callee begins and ends; that of the return goes back. */
  from_y: number;
  to_y: number;
  /** The callee's lane. */
  top: number;
  height: number;
  /** Room for its name from x0 on: until the next arrow of its processor. */
  room: number;
}

/** Those whose lanes and whose time are in sight, the outermost first. */
export function flows_of(calls: readonly CallNode[], scale: Scale, layout: Layout): Flow[] {
  const flows: Flow[] = [];
  for (const call of calls) {
    const caller = lane_of(layout, call.vp, call.from_vtl);
    const callee = lane_of(layout, call.vp, call.to_vtl);
    if (caller === undefined || callee === undefined || caller === callee) continue;
    const x0 = x_clipped(scale, call.at);
    const x1 = call.end === undefined ? scale.width : x_clipped(scale, call.end);
    if (x1 < 0 || x0 > scale.width) continue;
    const down = callee.y > caller.y;
    flows.push({
      call,
      x0,
      x1,
      returned: call.end !== undefined,
      from_y: down ? caller.y + caller.height : caller.y,
      to_y: down ? callee.y : callee.y + callee.height,
      top: callee.y,
      height: callee.height,
      room: 0,
    });
  }
  make_room(flows);
  return flows;
}

/** A callee that calls is interrupted by it: its name ends there. */
function make_room(flows: readonly Flow[]): void {
  const edges = new Map<number, number[]>();
  for (const { call, x0, x1 } of flows) edges.set(call.vp, [...(edges.get(call.vp) ?? []), x0, x1]);
  for (const list of edges.values()) list.sort((a, b) => a - b);
  for (const flow of flows) {
    const left = Math.max(0, flow.x0);
    flow.room = Math.min(flow.x1, edges.get(flow.call.vp)!.find((x) => x > left + 0.5) ?? flow.x1) - left;
  }
}

/** Beyond the edges where the instant is not in sight. */
function x_clipped(scale: Scale, instant: number): number {
  const sight = scale.instants_in_sight();
  if (sight === undefined || instant < sight.from) return -100;
  return scale.x_at(instant) ?? scale.width + 100;
}

/** The innermost call whose callee's lane or arrows are at a point. */
export function flow_at(flows: readonly Flow[], x: number, y: number): Flow | undefined {
  let best: Flow | undefined;
  for (const flow of flows) {
    const inside = y >= flow.top && y <= flow.top + flow.height && x >= flow.x0 - 2 && x <= flow.x1 + 2;
    const low = Math.min(flow.from_y, flow.to_y) - 2;
    const high = Math.max(flow.from_y, flow.to_y) + 2;
    const arrow = y >= low && y <= high && (Math.abs(x - flow.x0) <= 4 || Math.abs(x - flow.x1) <= 4);
    if ((inside || arrow) && (best === undefined || flow.call.depth >= best.call.depth)) best = flow;
  }
  return best;
}
