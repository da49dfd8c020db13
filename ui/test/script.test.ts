import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { python_script, type Done } from '../src/panels/console/script';

const done: Done[] = [
  { method: 'step', parameters: { kind: 'over', back: true } },
  { method: 'breakpoint.set', parameters: { kind: 'event', what: 'hypercall', condition: 'name == "x"\n#', temporary: false } },
  { method: 'bookmark.add', parameters: { text: '\u202e"""\\', at: 12 } },
];

test('a script is Python that calls what was done, whatever texts hold', () => {
  const check = 'import ast, sys, json; t = ast.parse(sys.stdin.read()); print(json.dumps([[ast.literal_eval(a) for a in n.args] for n in ast.walk(t) if isinstance(n, ast.Call) and getattr(n.func, "attr", "") == "call"]))';
  const script = python_script('/tmp/"a".air', done);
  const calls: unknown = JSON.parse(execFileSync('python3', ['-c', check], { input: script, encoding: 'utf8' }));
  expect(calls).toEqual(done.map(({ method, parameters }) => [method, parameters]));
  expect(script).not.toMatch(/[^\x00-\x7e]/);
});

test('nothing done is a program too', () => {
  expect(python_script(undefined, [])).toContain('pass');
});
