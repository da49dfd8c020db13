import { expect, test } from 'vitest';
import { inner_type, is_pointer, pointed_type } from '../src/panels/structures/pointer';
import { process_place, row_place, tables } from '../src/panels/kernel/tables';
import type { TypeField } from '../src/rpc/interface';

const field = (type: string, more: Partial<TypeField> = {}): TypeField => ({ name: 'x', type, offset: 0, size: 8, ...more });

test.each([
  ['sk::SecureRange*', 'securekernel!sk::SecureRange'],
  ['const sk::TrustletPolicy*', 'securekernel!sk::TrustletPolicy'],
  ['void*', undefined],
  ['const char*', undefined],
  ['uint64_t', undefined],
])('a %s names %s', (type, name) => {
  expect(pointed_type('securekernel', field(type, { value: '0xffff900000000000' }))).toBe(name);
});

test('a member without a value is a structure of its own', () => {
  expect(inner_type('nt', field('DISPATCHER_HEADER'))).toBe('nt!DISPATCHER_HEADER');
  expect(inner_type('nt', field('HANDLE[4]', { count: 4 }))).toBeUndefined();
});

test('null, denied and unmapped values lead nowhere', () => {
  for (const value of ['0x0', '??', '--']) expect(is_pointer(field('EPROCESS*', { value }))).toBe(false);
  expect(is_pointer(field('EPROCESS*', { value: '0xffff800000248810' }))).toBe(true);
});

test('objects open with the type that their kernel gives them', () => {
  expect(process_place({ name: 'x', vtl: 1, pid: 4, cr3: '0x0', current: false, object: '0x1000' })?.name).toBe('securekernel!sk::SkProcess');
  const handles = tables.find((table) => table.id === 'handles')!;
  const columns = ['handle', 'type', 'references', 'object'];
  expect(row_place(handles, columns, { cells: ['0x4', 'Image', '2', 'x'], address: '0x2000' })?.name).toBe('securekernel!sk::SecureImage');
  expect(row_place(handles, columns, { cells: ['0x4', 'Unknown', '2', 'x'], address: '0x2000' })).toBeUndefined();
});
