// How numbers and addresses are written, everywhere alike.

/** 1,234,567: instants and counts. */
export function count(value: number): string {
  return value.toLocaleString('en');
}

/** 64 bits as the kernel debugger writes them: fffff800`12347a40. */
export function address(value: string): string {
  const digits = value.replace(/^0x/, '').padStart(16, '0');
  return `${digits.slice(0, -8)}\`${digits.slice(-8)}`;
}

/** Without leading zeros. */
export function short_hex(value: string | bigint): string {
  return typeof value === 'bigint' ? `0x${value.toString(16)}` : value;
}

/** A number that somebody typed: 0x1f, 1fh, fffff800`12347a40, or decimal. */
export function parse_address(text: string): bigint | undefined {
  const plain = text.trim().replace(/[`_,']/g, '');
  if (/^0x[0-9a-f]{1,16}$/i.test(plain)) return BigInt(plain);
  if (/^[0-9a-f]{1,16}h$/i.test(plain)) return BigInt(`0x${plain.slice(0, -1)}`);
  if (/^[0-9]{1,19}$/.test(plain)) return BigInt(plain);
  return /^[0-9a-f]{5,16}$/i.test(plain) ? BigInt(`0x${plain}`) : undefined;
}

export function hex(value: bigint): string {
  return `0x${BigInt.asUintN(64, value).toString(16)}`;
}

/** `offset` may be negative; 64 bits. */
export function plus(value: string, offset: number | bigint): string {
  return hex(BigInt(value) + BigInt(offset));
}

/** "4f0a" as numbers. */
export function bytes_of(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length >> 1);
  for (let i = 0; i < bytes.length; ++i) bytes[i] = Number.parseInt(text.slice(2 * i, 2 * i + 2), 16);
  return bytes;
}

/** Of a path in either style. */
export function file_name(path: string): string {
  return path.replace(/^.*[\\/]/, '');
}
