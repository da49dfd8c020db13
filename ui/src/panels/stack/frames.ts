// A stack as rows: frames, and between them the borders that calls crossed.
import type { Frame } from '../../rpc/interface';

export type StackRow = { kind: 'frame'; key: string; frame: Frame } | { kind: 'border'; key: string; word: string; text: string; vtl: number };

/** From the innermost frame out. `entered` of a frame says how the frame before it, the one inside, was entered. */
export function rows_of(frames: readonly Frame[]): StackRow[] {
  return frames.flatMap((frame, index): StackRow[] => {
    const row: StackRow = { kind: 'frame', key: `${frame.index}`, frame };
    const inner = frames[index - 1];
    const border = inner === undefined ? undefined : border_between(inner, frame);
    return border === undefined ? [row] : [border, row];
  });
}

const words: Partial<Record<Frame['entered'], string>> = {
  interrupt: 'interrupt',
  system_call: 'system call',
  vtl_call: 'VTL call',
  vtl_return: 'VTL return',
};

/** undefined: a plain call within one ring of one VTL. */
function border_between(inner: Frame, outer: Frame): StackRow | undefined {
  const word = words[outer.entered] ?? (inner.vtl !== outer.vtl ? 'other VTL' : inner.ring !== outer.ring ? 'other ring' : undefined);
  if (word === undefined) return undefined;
  const levels = inner.vtl === outer.vtl ? `in VTL ${inner.vtl}` : `from VTL ${outer.vtl} into VTL ${inner.vtl}`;
  const rings = inner.ring === outer.ring ? '' : `, from ring ${outer.ring} into ring ${inner.ring}`;
  return { kind: 'border', key: `border ${outer.index}`, word, text: `${word} ${levels}${rings}`, vtl: inner.vtl };
}

/** The frame `by` steps further out, within what is known. */
export function frame_beside(frames: readonly Frame[], selected: number, by: number): number | undefined {
  const index = frames.findIndex((frame) => frame.index === selected);
  return frames[Math.min(Math.max((index < 0 ? 0 : index) + by, 0), frames.length - 1)]?.index;
}
