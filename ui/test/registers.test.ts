import { expect, test } from 'vitest';
import { flags_of } from '../src/panels/registers/flags';
import { copy_register, markdown_table, register_text, table_of, typed_value, values_of } from '../src/panels/registers/table';
import type { Methods, Register } from '../src/rpc/interface';

type Answer = Methods['registers']['result'];
const register = (name: string, value: string, change: Partial<Register> = {}): Register => ({ name, value, bits: 64, group: 'general', shared: false, ...change });
const answer = (registers: Register[], change: Partial<Answer> = {}): Answer => ({ registers, active: true, enabled: true, ...change });

test.each([
  ['rflags', '0x246', 'IF ZF PF'],
  ['rflags', '0x3002', 'IOPL=3'],
  ['cr0', '0x80010033', 'PG WP NE ET MP PE'],
  ['cr4', '0x6a0', 'OSXMMEXCPT OSFXSR PGE PAE'],
  ['efer', '0xd01', 'NXE LMA LME SCE'],
  ['rflags', '0x2', ''],
])('%s %s is %s', (name, value, names) => {
  const list = flags_of(name, value)!.map((flag) => flag.name);
  expect(list.sort()).toEqual(names === '' ? [] : names.split(' ').sort());
});
test('other registers have no flags', () => {
  expect(flags_of('rax', '0xffff')).toBeUndefined();
  expect(flags_of('constructor', '0x0')).toBeUndefined();
});

test.each([
  ['0xfffff80100009e40', 64, 'fffff801`00009e40'],
  ['0x10', 16, '0010'],
  ['0x1f80', 32, '00001f80'],
  ['0xfffffff90000044c000', 80, '0fff`ffff9000`0044c000'],
  ['0x231', 128, '00000000`00000000`00000000`00000231'],
])('%s of %d bits reads %s', (value, bits, text) => {
  expect(register_text(value, bits)).toBe(text);
});

test('what the VTLs share stands once, the rest side by side', () => {
  const rows = table_of(
    [answer([register('rax', '0x1', { shared: true }), register('rsp', '0x10')]), answer([register('rax', '0x1', { shared: true }), register('rsp', '0x20')])],
    [undefined, undefined],
    'general',
  );
  expect(rows.map((row) => [row.name, row.shared, row.cells.map((cell) => cell?.value)])).toEqual([
    ['rax', true, ['0x1']],
    ['rsp', false, ['0x10', '0x20']],
  ]);
});
test('a VTL that is not enabled has no values', () => {
  const rows = table_of([answer([register('rsp', '0x10')]), answer([register('rsp', '0x0')], { enabled: false })], [undefined, undefined], 'general');
  expect(rows[0]!.cells.length).toBe(1);
});
test('a change is told with what it was: by the last instruction, and since the former stop', () => {
  const former = values_of(answer([register('rax', '0x5'), register('rbx', '0x7'), register('rcx', '0x9')]));
  const now = answer([register('rax', '0x6', { previous: '0x5' }), register('rbx', '0x8'), register('rcx', '0x9'), register('rdx', '0x2', { previous: '0x1' })]);
  const [rax, rbx, rcx, rdx] = table_of([now], [former], 'general').map((row) => row.cells[0]!);
  expect(rax!.was).toBe('was 00000000`00000005 before the last instruction');
  expect(rbx!.was).toBe('was 00000000`00000007 at the former stop');
  expect([rax!.changed, rbx!.changed, rcx!.changed, rdx!.changed]).toEqual([true, true, false, true]);
  expect(rcx!.was).toBe('');
});

test.each([
  ['fffff801`00009e40', 64, '0xfffff80100009e40'],
  ['0x1F', 16, '0x1f'],
  ['12345', 16, undefined],
  ['rax', 64, undefined],
  ['', 64, undefined],
  ['0xffffffffffffffffffffffffffffffffff', 128, undefined],
])('%j typed for %d bits is %s', (text, bits, value) => {
  expect(typed_value(text, bits)).toBe(value);
});

test.each([
  ['gdb', 'rax', '0x1', 64, 'set $rax = 0x1'],
  ['windbg', 'rax', '0x1', 64, 'r rax=1'],
  ['c', 'cr3', '0x453000', 64, 'const uint64_t cr3 = 0x453000ull;'],
  ['c', 'cs', '0x10', 16, 'const uint16_t cs = 0x10;'],
  ['c', 'st0', '0x1', 80, 'const unsigned char st0[10] = {0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00};'],
  ['value', 'rax', '0x1', 64, '0x1'],
] as const)('a copy as %s of %s', (form, name, value, bits, text) => {
  expect(copy_register(form, name, value, bits)).toBe(text);
});
test('all that is shown as Markdown', () => {
  const rows = table_of([answer([register('rax', '0x1', { shared: true, bits: 16 })]), undefined], [], 'general');
  expect(markdown_table(rows)).toBe('| register | VTL 0 | VTL 1 |\n|---|---|---|\n| rax | 0001 | (shared) |');
});
