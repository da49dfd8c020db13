// The text of the instructions of a trail: asked for where it is not known, in runs of neighbours.
import type { Session } from '../core/session.svelte';
import { visible } from '../parts/untrusted';
import type { TrailStep } from '../rpc/interface';
import type { Instruction } from './paint';

const at_once = 24;
/** Requests for one trail: code that jumps about more keeps its addresses. */
const most_requests = 24;

export class InstructionTexts {
  shown = $state.raw<readonly Instruction[]>([]);
  #run = 0;

  /** Without steps, nothing is shown. */
  async load(session: Session, steps: readonly TrailStep[]): Promise<void> {
    const run = ++this.#run;
    const texts = new Map<string, string>();
    if (steps.length === 0 && this.shown.length === 0) return;
    this.#show(steps, texts);
    for (let request = 0; request < most_requests; ++request) {
      const step = steps.find((each) => !texts.has(key(each.vtl, each.address)));
      if (step === undefined) return;
      try {
        const focus = { at: step.at, vp: step.vp, vtl: step.vtl };
        const { lines } = await session.call('disassemble', { focus, address: step.address, count: at_once });
        if (run !== this.#run) return;
        for (const line of lines) texts.set(key(step.vtl, line.place.address), visible(line.text, 80));
      } catch {
        if (run !== this.#run) return;
      }
      if (!texts.has(key(step.vtl, step.address))) texts.set(key(step.vtl, step.address), step.address);
      this.#show(steps, texts);
    }
  }

  #show(steps: readonly TrailStep[], texts: ReadonlyMap<string, string>): void {
    this.shown = steps.map(({ at, vp, vtl, address }) => ({ at, vp, vtl, text: texts.get(key(vtl, address)) ?? address }));
  }
}

function key(vtl: number, address: string): string {
  return `${vtl} ${address}`;
}
