// All kinds of panes: each folder here exports one as `panel` from its panel.ts.
import type { Panel } from '../core/workspace.svelte';

const modules = import.meta.glob<{ panel: Panel }>('./*/panel.ts', { eager: true });

export const panels: readonly Panel[] = Object.values(modules)
  .map((module) => module.panel)
  .sort((a, b) => a.title.localeCompare(b.title, 'en'));
