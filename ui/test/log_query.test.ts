import { describe, expect, test } from 'vitest';
import { all_kinds, kind_groups } from '../src/panels/log/kinds';
import { as_breakpoints, complete, group_state, join_query, mistake_of, put_in, quoted, split_query, toggle_group } from '../src/panels/log/query';
import { RpcError } from '../src/rpc/errors';

describe('the boxes and the text say the same', () => {
  test.each([
    ['', undefined, ''],
    ['status != 0', undefined, 'status != 0'],
    ['kind == VtlCall', ['VtlCall'], ''],
    ['kind=="hypercall" && code == 0xc', ['Hypercall'], 'code == 0xc'],
    ['(kind == VtlCall or kind == VtlReturn) and vtl == 1', ['VtlCall', 'VtlReturn'], 'vtl == 1'],
    ['kind == VtlCall and (vp == 0 or vp == 2)', ['VtlCall'], 'vp == 0 or vp == 2'],
    ['kind == VtlCall and (vp == 0) and (a == 1)', ['VtlCall'], '(vp == 0) and (a == 1)'],
  ])('%j', (query, kinds, rest) => {
    expect(split_query(query)).toEqual({ kinds, rest });
  });

  // Taking one of these apart would change what it means.
  test.each(['kind == VtlCall or vtl == 1', 'kind == VtlCall and vtl == 1 or vp == 1', '(kind == VtlCall or kind == Nothing) and vtl == 1', 'kind != VtlCall'])(
    '%j stays whole',
    (query) => expect(split_query(query)).toEqual({ kinds: undefined, rest: query }),
  );

  test('"or" in a text is no "or"', () => {
    expect(split_query('kind == DebugPrint and name contains "this or that"').rest).toBe('name contains "this or that"');
  });

  test('a box that is ticked and cleared leaves the query as it was', () => {
    for (const rest of ['', 'status != 0', 'vp == 0 or vp == 1'])
      for (const { id } of kind_groups) {
        const ticked = toggle_group(rest, id);
        expect(group_state(ticked, id)).toBe(true);
        expect(toggle_group(ticked, id)).toBe(rest);
      }
  });

  test('all boxes are the same as none', () => {
    let query = 'vtl == 1';
    for (const { id } of kind_groups) query = toggle_group(query, id);
    expect(query).toBe('vtl == 1');
  });

  test('some kinds of a box are neither', () => {
    expect(group_state('kind == VtlCall', 'switches')).toBe('mixed');
    expect(toggle_group('kind == VtlCall', 'switches')).toBe('');
  });

  test('what is joined is read back', () => {
    const query = join_query({ kinds: ['Hypercall', 'Intercept'], rest: 'a == 1 || b == 2' });
    expect(query).toBe('(kind == Hypercall or kind == Intercept) and (a == 1 || b == 2)');
    expect(split_query(query)).toEqual({ kinds: ['Hypercall', 'Intercept'], rest: 'a == 1 || b == 2' });
  });

  test('no kind is in two boxes', () => {
    expect(new Set(all_kinds).size).toBe(all_kinds.length);
  });
});

describe('mistakes', () => {
  test('a column counts bytes, and the place is a character', () => {
    const query = 'name == "Größe" && a <';
    const column = new TextEncoder().encode(query).length + 1;
    expect(mistake_of(new RpcError(-32602, `query, column ${column}: a value is needed`), query)).toEqual({ text: 'a value is needed', at: query.length });
  });
  test('others are of the whole query', () => {
    expect(mistake_of(new RpcError(-32001, 'interrupted'), 'a')).toEqual({ text: 'interrupted' });
  });
});

describe('completion', () => {
  const vocabulary = { help: new Map([['intercept', 'an access becomes a message']]), values: new Map([['name', ['CreateProcess', 'a "b"']]]) };
  const words = (query: string) => complete(query, query.length, vocabulary).words.map((word) => word.text);

  test('kinds follow "kind =="', () => {
    expect(words('kind == ')).toEqual(all_kinds.slice(0, 40));
    expect(words('vtl == 1 and kind == Vtl')).toEqual(['VtlCall', 'VtlReturn', 'VtlInterruptEntry', 'VtlEnabled']);
  });
  test('values that events had follow their field', () => {
    expect(words('name == ')).toEqual(['"CreateProcess"', '"a \\"b\\""']);
    expect(words('name == "Cre')).toEqual(['"CreateProcess"']);
  });
  test('comparisons follow a field, and joins a comparison', () => {
    expect(words('status ')).toContain('!=');
    expect(words('status != 0 ')).toEqual(['and', 'or']);
  });
  test('a kind of breakpoint completes to what a query says for it', () => {
    expect(complete('slat-v', 6, vocabulary).words).toEqual([]);
    expect(words('inter')).toContain('kind == Intercept');
  });
  test('a word takes the place of the one that is being typed', () => {
    const query = 'sta and vtl == 1';
    const completion = complete(query, 2, vocabulary);
    expect(put_in(query, completion, completion.words[0]!)).toEqual({ query: 'status and vtl == 1', caret: 6 });
  });
  test('no word stands where nothing fits', () => {
    expect(words('zzzz')).toEqual([]);
  });
});

test('a text is quoted as the language reads it', () => {
  expect(quoted('a"b\\c')).toBe('"a\\"b\\\\c"');
});

test('a query becomes a breakpoint for each kind that it names', () => {
  expect(as_breakpoints('vtl == 1')).toBeUndefined();
  expect(as_breakpoints('kind == Intercept')).toEqual([{ what: 'intercept' }]);
  expect(as_breakpoints('(kind == VtlCall or kind == ProcessCreated) and vtl == 1')).toEqual([
    { what: 'vtl-call', condition: 'vtl == 1' },
    { what: 'process-start', condition: 'vtl == 1' },
    { what: 'trustlet-start', condition: 'vtl == 1' },
  ]);
});
