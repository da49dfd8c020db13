// The layouts that come with the page, by what somebody wants to do.
import type { Placement } from '../core/dock';

export interface Preset {
  id: string;
  title: string;
  /** One sentence: for what, and what to look at. */
  help: string;
  placements: readonly Placement[];
}

/** Beside, in the pane's place, or above: short forms, since a layout is a picture. */
const right = (beside: string, panel: string, share: number): Placement => ({ panel, at: { beside, side: 'right' }, share });
const below = (beside: string, panel: string, share: number): Placement => ({ panel, at: { beside, side: 'below' }, share });
const behind = (beside: string, ...panels: string[]): Placement[] =>
  panels.map((panel) => ({ panel, at: { beside, side: 'within' as const } }));

export const presets: readonly Preset[] = [
  {
    id: 'secure-call',
    title: 'Explain a secure call',
    help: 'The call as one tree across both worlds, its code, the registers that carry it, and the log of everything that it did.',
    placements: [
      { panel: 'code' },
      right('code', 'calls', 0.66),
      right('calls', 'registers', 0.42),
      below('code', 'log', 0.36),
      below('registers', 'stack', 0.36),
      ...behind('code', 'source'),
      ...behind('calls', 'memory', 'walk'),
      ...behind('stack', 'variables', 'bookmarks'),
      ...behind('log', 'breakpoints', 'output'),
    ],
  },
  {
    id: 'slat-fault',
    title: 'Chase a SLAT fault',
    help: 'An access that was refused: the walk with the rights of both VTLs, who took them away, and the map of all pages.',
    placements: [
      { panel: 'walk' },
      right('walk', 'memory', 0.42),
      below('walk', 'code', 0.5),
      below('memory', 'slat', 0.5),
      below('code', 'log', 0.45),
      ...behind('memory', 'registers', 'tlb'),
      ...behind('code', 'stack', 'source'),
      ...behind('log', 'calls', 'breakpoints'),
      ...behind('slat', 'bookmarks', 'structures'),
    ],
  },
  {
    id: 'finding',
    title: 'Triage a finding',
    help: 'What a fuzzer found: the list, the instant of the violation, the stack and what changed on the way there.',
    placements: [
      { panel: 'findings' },
      right('findings', 'code', 0.72),
      right('code', 'registers', 0.38),
      below('code', 'log', 0.4),
      below('registers', 'stack', 0.5),
      below('findings', 'calls', 0.5),
      ...behind('log', 'memory', 'walk', 'console'),
      ...behind('stack', 'variables', 'breakpoints'),
      ...behind('code', 'source'),
    ],
  },
  {
    id: 'teach',
    title: 'Teach',
    help: 'Few panes, for a class or a first visit: code, both worlds’ registers, memory as each world sees it, processes and trustlets.',
    placements: [
      { panel: 'code' },
      right('code', 'registers', 0.55),
      below('code', 'calls', 0.42),
      below('registers', 'memory', 0.5),
      ...behind('memory', 'walk', 'kernel'),
      ...behind('registers', 'stack'),
      ...behind('calls', 'log', 'output'),
    ],
  },
];

export const compare_preset: Preset = {
  id: 'compare',
  title: 'Compare two runs',
  help: 'Both runs from their first difference on.',
  placements: [
    { panel: 'compare' },
    below('compare', 'code', 0.45),
    { panel: 'code', other: true, at: { beside: 'code', side: 'right' }, share: 0.5 },
    ...behind('code', 'registers'),
    { panel: 'registers', other: true, at: { beside: 'other:code', side: 'within' } },
  ],
};
