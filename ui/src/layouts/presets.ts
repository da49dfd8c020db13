// The layouts that come with the page, by what somebody wants to do.
import type { Placement } from '../core/dock';

export interface Preset {
  id: string;
  title: string;
  /** One sentence: for whom, and what to look at. */
  help: string;
  placements: readonly Placement[];
}

export const presets: readonly Preset[] = [
  {
    id: 'start',
    title: 'Overview',
    help: 'Code, state and the log of both worlds.',
    placements: [{ panel: 'code' }],
  },
];
