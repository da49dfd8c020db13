// What a variable leads to: the structure that it is, or that it points to.
import type { Variable } from '../../rpc/interface';

export interface Structure {
  /** module!name, for `type`. */
  name: string;
  address: string;
}

const simple = /^(void|bool|char|wchar_t|char(8|16|32)_t|u?int\d*_t|size_t|ptrdiff_t|u?intptr_t|(unsigned|signed|short|long|int|__int64|float|double|HRESULT)( .*)?)$/;

/** undefined: it is a number, a text or a list, or it is nowhere at this instruction. */
export function structure_of(variable: Variable, module: string | undefined): Structure | undefined {
  const type = variable.type.replace(/\b(const|volatile) /g, '').replace(/ const\b/g, '').trim();
  const pointed = /^(.*[^*&\s])\s*[*&]$/.exec(type)?.[1];
  const name = pointed ?? type;
  if (module === undefined || /[*&\]()]$/.test(name) || simple.test(name)) return undefined;
  const address = pointed === undefined ? variable.address : pointed_address(variable);
  return address === undefined ? undefined : { name: name.includes('!') ? name : `${module}!${name}`, address };
}

function pointed_address(variable: Variable): string | undefined {
  const number = variable.place?.address ?? /^0x[0-9a-f]{1,16}/.exec(variable.value)?.[0];
  return number === undefined || /^0x0*$/.test(number) ? undefined : number;
}

/** A key for each: functions that were inlined bring variables of the same name and type. */
export function keys_of(variables: readonly Variable[], owner: string): string[] {
  const seen = new Map<string, number>();
  return variables.map(({ name, type, parameter }) => {
    const key = `${owner} ${parameter} ${name} ${type}`;
    const number = seen.get(key) ?? 0;
    seen.set(key, number + 1);
    return `${key} ${number}`;
  });
}

/** Why there is no value, in words; undefined: there is one. */
export function absence_of(variable: Variable): string | undefined {
  if (variable.value === '') return variable.where === '' ? 'nowhere at this instruction' : 'no value';
  if (variable.value === '??') return '?? this VTL may not read it';
  if (variable.value === '--') return '-- not mapped';
  return undefined;
}
