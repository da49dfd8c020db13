// What can be typed into the form, by kind.
import type { Methods } from '../../rpc/interface';

export type Kind = Exclude<Methods['breakpoint.set']['parameters']['kind'], 'event'>;

export const kinds: readonly { kind: Kind; title: string; placeholder: string; completes: boolean }[] = [
  { kind: 'code', title: 'code at', placeholder: 'securekernel!IumInvokeSecureService', completes: true },
  { kind: 'write', title: 'write to', placeholder: 'gva:0xfffff80100011dd8+8', completes: true },
  { kind: 'access', title: 'access to', placeholder: 'gpa:0x453000+1000', completes: true },
  { kind: 'register', title: 'change of register', placeholder: 'cr3', completes: false },
  { kind: 'vtl', title: 'entry into VTL', placeholder: '0 or 1', completes: false },
];

/** The pattern that completes what was typed; undefined: it is a number, or too short. */
export function pattern_of(typed: string): string | undefined {
  const name = typed.replace(/^(gva|gpa|spa):/, '').trim();
  if (name.length < 2 || /^(0x)?[0-9a-f`]+$/i.test(name) || /[\s+*?()]/.test(name)) return undefined;
  return name.includes('!') ? `${name}*` : `*${name}*`;
}

/** With the space that was typed before it. */
export function completed(typed: string, symbol: string): string {
  return `${/^(gva|gpa|spa):/.exec(typed)?.[0] ?? ''}${symbol}`;
}
