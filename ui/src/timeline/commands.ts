// What the keyboard does with the timeline.
import type { Command } from '../core/commands.svelte';
import type { TimelineModel } from './timeline.svelte';

interface Doings {
  add_bookmark: () => void;
  taller: (pixels: number) => void;
  interest: () => string | undefined;
}

export function timeline_commands(model: TimelineModel, doings: Doings): Command[] {
  const { session } = model;
  const enabled = () => session.ready && session.connection_state === 'open';
  const look = (id: string, title: string, keys: string[], run: () => unknown): Command => ({ id: `timeline.${id}`, title, group: 'Look', keys, enabled, run });
  return [
    { ...look('event.previous', 'To the previous event of the lane, or of the kind selected in the log', ['{'], () => model.to_event(true, doings.interest())), group: 'Motion' },
    { ...look('event.next', 'To the next event of the lane, or of the kind selected in the log', ['}'], () => model.to_event(false, doings.interest())), group: 'Motion' },
    look('zoom.in', 'Timeline: show less of the run', ['+', '='], () => model.zoom_at_focus(0.5)),
    look('zoom.out', 'Timeline: show more of the run', ['-'], () => model.zoom_at_focus(2)),
    look('whole', 'Timeline: the whole run', ['0'], () => model.show_whole()),
    { ...look('focus', 'Timeline: the focus in the middle', ['f'], () => model.show_focus()), enabled: () => enabled() && model.zoomed },
    look('axis', 'Timeline: axis of events or of time', ['Alt+a'], () => model.set_axis(model.axis === 'events' ? 'time' : 'events')),
    look('end', 'To the end of the run, and follow it', ['Shift+End'], () => model.show_end()),
    { ...look('taller', 'Timeline: higher', ['Ctrl+ArrowDown'], () => doings.taller(24)), group: 'Layout' },
    { ...look('lower', 'Timeline: lower', ['Ctrl+ArrowUp'], () => doings.taller(-24)), group: 'Layout' },
    { ...look('bookmark', 'Mark the focus with a bookmark', ['m'], doings.add_bookmark), group: 'Bookmarks' },
  ];
}
