// Bits of registers by name: Intel SDM volume 1, 3.4.3 (RFLAGS), volume 3, 2.5 (CR0, CR4) and 2.2.1 (EFER); AMD64 volume 2, 3.1.7.

type Bits = readonly (readonly [bit: number, name: string, meaning: string])[];

const rflags: Bits = [
  [0, 'CF', 'carry'],
  [2, 'PF', 'parity'],
  [4, 'AF', 'auxiliary carry'],
  [6, 'ZF', 'zero'],
  [7, 'SF', 'sign'],
  [8, 'TF', 'single step'],
  [9, 'IF', 'interrupts enabled'],
  [10, 'DF', 'strings go down'],
  [11, 'OF', 'overflow'],
  [14, 'NT', 'nested task'],
  [16, 'RF', 'resume'],
  [17, 'VM', 'virtual 8086'],
  [18, 'AC', 'alignment check; with SMAP: user pages may be accessed'],
  [19, 'VIF', 'virtual interrupt'],
  [20, 'VIP', 'virtual interrupt pending'],
  [21, 'ID', 'CPUID'],
];
const cr0: Bits = [
  [0, 'PE', 'protected mode'],
  [1, 'MP', 'monitor coprocessor'],
  [2, 'EM', 'no x87'],
  [3, 'TS', 'task switched'],
  [4, 'ET', 'extension type'],
  [5, 'NE', 'x87 errors as exceptions'],
  [16, 'WP', 'write protection for ring 0'],
  [18, 'AM', 'alignment mask'],
  [29, 'NW', 'not write-through'],
  [30, 'CD', 'cache disabled'],
  [31, 'PG', 'paging'],
];
const cr4: Bits = [
  [0, 'VME', 'virtual 8086 extensions'],
  [1, 'PVI', 'virtual interrupts'],
  [2, 'TSD', 'RDTSC for ring 0 only'],
  [3, 'DE', 'debugging extensions'],
  [4, 'PSE', 'large pages'],
  [5, 'PAE', 'physical address extension'],
  [6, 'MCE', 'machine check'],
  [7, 'PGE', 'global pages'],
  [8, 'PCE', 'RDPMC for all rings'],
  [9, 'OSFXSR', 'SSE'],
  [10, 'OSXMMEXCPT', 'SSE exceptions'],
  [11, 'UMIP', 'SGDT, SIDT, SLDT, STR, SMSW for ring 0 only'],
  [12, 'LA57', 'five levels of tables'],
  [13, 'VMXE', 'VMX'],
  [14, 'SMXE', 'SMX'],
  [16, 'FSGSBASE', 'RDFSBASE and its like'],
  [17, 'PCIDE', 'process-context identifiers'],
  [18, 'OSXSAVE', 'XSAVE'],
  [20, 'SMEP', 'ring 0 executes no user pages'],
  [21, 'SMAP', 'ring 0 accesses no user pages'],
  [22, 'PKE', 'protection keys'],
  [23, 'CET', 'control-flow enforcement'],
];
const efer: Bits = [
  [0, 'SCE', 'SYSCALL'],
  [8, 'LME', 'long mode enabled'],
  [10, 'LMA', 'long mode active'],
  [11, 'NXE', 'no-execute pages'],
  [12, 'SVME', 'SVM'],
  [15, 'TCE', 'translation cache extension'],
];
const known: ReadonlyMap<string, Bits> = new Map(Object.entries({ rflags, cr0, cr4, efer }));

export interface Flag {
  name: string;
  meaning: string;
}

/** The bits that are set, the highest first; undefined: this register is no set of bits. */
export function flags_of(register: string, value: string): Flag[] | undefined {
  const bits = known.get(register);
  if (bits === undefined) return undefined;
  const number = BigInt(value);
  const set = bits.filter(([bit]) => (number >> BigInt(bit)) & 1n).map(([, name, meaning]) => ({ name, meaning }));
  const level = register === 'rflags' ? Number((number >> 12n) & 3n) : 0;
  if (level > 0) set.push({ name: `IOPL=${level}`, meaning: 'ring that may use ports' });
  return set.reverse();
}
