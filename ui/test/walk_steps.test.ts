import { expect, test } from 'vitest';
import type { WalkReference } from '../src/rpc/interface';
import { denied_by, flags_in_words, group_of, groups_of, rights_change, sentence, stage1_text, type Walk } from '../src/panels/walk/steps';

function reference(stage: number, more: Partial<WalkReference>): WalkReference {
  return { stage, level: 1, name: stage === 1 ? 'PTE' : 'S2 PTE', index: 3, spa: '0x8000018', gpa: '0x1018', value: '0x0', flags: '', leaf: true, present: true, denied: false, rights: [], ...more };
}
const walk: Walk = {
  references: [
    reference(2, { flags: 'r w' }),
    reference(1, { name: 'PDE', level: 2, flags: 'P W U A' }),
    reference(2, { flags: 'r w' }),
    reference(1, { flags: 'P U NX' }),
    reference(2, { gpa: '0x5000', denied: true }),
  ],
  granted: false,
  rule: 'stage 2 denies reading',
  gpa: '0x5000',
  rights: [],
  cycles: 100,
  text: '',
};

test('second-stage references stand under the entry that they lead to, and the page comes last', () => {
  const groups = groups_of(walk);
  expect(groups.map((group) => [group.entry?.number, group.nested.map((step) => step.number)])).toEqual([[1, [0]], [3, [2]], [undefined, [4]]]);
  expect(groups[2]!.gpa).toBe('0x5000');
  expect(group_of(groups, 2)).toBe(1);
});

test('levels of stage 1 only take rights away', () => {
  expect(groups_of(walk).map((group) => stage1_text(group.rights))).toEqual(['rwx u', 'r-- u', 'r-- u']);
});

test('the entry that refused is told with the rule', () => {
  expect(denied_by(walk)?.number).toBe(4);
  expect(sentence(walk, 4)).toContain('The translation ends here: stage 2 denies reading.');
  expect(sentence(walk, 1)).toContain('2 of 5: PDE[3] at GPA 0x1018 is 0x0: present, writable, user, accessed.');
});

test('a machine without a second stage has entries only', () => {
  const plain = { ...walk, references: walk.references.filter((each) => each.stage === 1) };
  expect(groups_of(plain).map((group) => group.nested.length)).toEqual([0, 0, 0]);
  expect(denied_by(plain)).toBeUndefined();
});

test('a walk that ended early has no page', () => {
  const { gpa: _, ...rest } = walk;
  expect(groups_of({ ...rest, references: walk.references.slice(0, 2) })).toHaveLength(1);
});

test('a flag that nobody knows is shown as it is', () => expect(flags_in_words(reference(1, { flags: 'P XYZ' }))).toBe('present, XYZ'));

test('a breakpoint on rights meets changes of ranges that hold the page', () => {
  expect(rights_change('0x273abc')).toEqual({ what: 'protection', condition: 'a <= 0x273000 and 0x273000 < a + b * 4096' });
});
