// What a member leads to.
import type { TypeField } from '../../rpc/interface';

/** The structure that a pointer member names: "sk::SecureRange*" in securekernel -> "securekernel!sk::SecureRange". */
export function pointed_type(module: string, field: TypeField): string | undefined {
  const name = /^(?:const )?([\w:<>,` ']+?)(?: const)?\s*\*$/.exec(field.type)?.[1]?.trim();
  return name === undefined || /^(void|char|wchar_t|bool|u?int\d*_t|unsigned.*|int|long|short|float|double)$/.test(name) ? undefined : `${module}!${name}`;
}

/** The structure that is a member itself, and not a number, text or list. */
export function inner_type(module: string, field: TypeField): string | undefined {
  if (field.value !== undefined || field.bits !== undefined || field.count !== undefined) return undefined;
  return /[*\]]$/.test(field.type) ? undefined : `${module}!${field.type.replace(/^const /, '')}`;
}

/** Of "securekernel!sk::SkProcess". */
export function module_of(type: string): string {
  return type.split('!', 1)[0] ?? '';
}

/** A value that is the address of something. */
export function is_pointer(field: TypeField): boolean {
  return field.value !== undefined && /^0x[0-9a-f]{4,16}$/.test(field.value) && (field.type.endsWith('*') || /^0xffff[0-9a-f]{12}$/.test(field.value));
}
