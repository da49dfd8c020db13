// Motion by key: what steps forwards steps back with Ctrl, or with the capital letter.
import type { Command } from './commands.svelte';
import type { Session } from './session.svelte';

export function motion_commands(session: Session): Command[] {
  const ready = () => session.ready && session.connection_state === 'open';
  const step = (id: string, title: string, keys: string[], kind: 'into' | 'over' | 'out', back: boolean): Command => ({
    id,
    title,
    group: 'Motion',
    keys,
    enabled: ready,
    run: () => session.step({ kind, ...(back ? { back } : {}) }),
  });
  const run = (id: string, title: string, keys: string[], parameters: Parameters<Session['run']>[0]): Command => ({
    id,
    title,
    group: 'Motion',
    keys,
    enabled: ready,
    run: () => session.run(parameters),
  });
  const switches = 'kind == VtlCall or kind == VtlReturn or kind == VtlInterruptEntry';
  return [
    step('step.into', 'Step into', ['F11', 's'], 'into', false),
    step('step.into.back', 'Step back into', ['Ctrl+F11', 'Shift+s'], 'into', true),
    step('step.over', 'Step over', ['F10', 'n'], 'over', false),
    step('step.over.back', 'Step back over', ['Ctrl+F10', 'Shift+n'], 'over', true),
    step('step.out', 'Step out', ['Shift+F11', 'o'], 'out', false),
    step('step.out.back', 'Step back out', ['Ctrl+Shift+F11', 'Shift+o'], 'out', true),
    run('run', 'Go on to the next breakpoint', ['F5', 'c'], {}),
    run('run.back', 'Go back to the last breakpoint', ['Ctrl+F5', 'Shift+c'], { back: true }),
    run('switch.next', 'To the next switch of VTL', [']'], { until: switches, breakpoints: false }),
    run('switch.previous', 'To the previous switch of VTL', ['['], { back: true, until: switches, breakpoints: false }),
    {
      id: 'interrupt',
      title: 'Stop what is running',
      group: 'Motion',
      keys: ['Ctrl+.', 'Pause'],
      everywhere: true,
      enabled: () => session.moving !== undefined,
      run: () => session.interrupt(),
    },
    {
      id: 'go.beginning',
      title: 'To the beginning of the run',
      group: 'Motion',
      keys: ['Ctrl+Home'],
      enabled: ready,
      run: () => session.go({ at: session.status?.beginning ?? 0 }),
    },
    {
      id: 'go.end',
      title: 'To the end of what is known',
      group: 'Motion',
      keys: ['Ctrl+End'],
      enabled: ready,
      run: () => session.go({ at: session.end }),
    },
    {
      id: 'look.other_vtl',
      title: 'Look at the other VTL',
      group: 'Look',
      keys: ['v'],
      enabled: ready,
      run: () => session.go({ vtl: session.focus.vtl === 0 ? 1 : 0 }),
    },
    {
      id: 'look.next_processor',
      title: 'Look at the next processor',
      group: 'Look',
      keys: ['p'],
      enabled: () => ready() && (session.hello?.processors ?? 1) > 1,
      run: () => session.go({ vp: (session.focus.vp + 1) % (session.hello?.processors ?? 1) }),
    },
  ];
}
