// The thing that is looked at: bytes, a register, or the rights of a page. Panes share it; "who wrote it" asks about it.

export type Space = 'gva' | 'gpa' | 'spa';
export type Datum =
  | { kind: 'memory'; space: Space; address: string; length: number; vtl: number }
  | { kind: 'register'; name: string; vtl: number }
  | { kind: 'page'; gpa: string; vtl: number };

/** For links: memory.gva.0xfff0.8.1, register.rax.1, page.0x1000.0 */
export function format_datum(datum: Datum): string {
  switch (datum.kind) {
    case 'memory':
      return `memory.${datum.space}.${datum.address}.${datum.length}.${datum.vtl}`;
    case 'register':
      return `register.${datum.name}.${datum.vtl}`;
    case 'page':
      return `page.${datum.gpa}.${datum.vtl}`;
  }
}

const address = '(0x[0-9a-f]{1,16})';
const forms = {
  memory: new RegExp(`^memory\\.(gva|gpa|spa)\\.${address}\\.([0-9]{1,5})\\.([0-2])$`),
  register: /^register\.([a-z0-9_]{1,32})\.([0-2])$/,
  page: new RegExp(`^page\\.${address}\\.([0-2])$`),
};

/** undefined: it is none. */
export function parse_datum(text: string): Datum | undefined {
  const memory = forms.memory.exec(text);
  if (memory) return { kind: 'memory', space: memory[1] as Space, address: memory[2]!, length: Number(memory[3]), vtl: Number(memory[4]) };
  const register = forms.register.exec(text);
  if (register) return { kind: 'register', name: register[1]!, vtl: Number(register[2]) };
  const page = forms.page.exec(text);
  return page ? { kind: 'page', gpa: page[1]!, vtl: Number(page[2]) } : undefined;
}

export function datum_text(datum: Datum): string {
  switch (datum.kind) {
    case 'memory':
      return `${datum.length} byte${datum.length === 1 ? '' : 's'} at ${datum.space.toUpperCase()} ${datum.address}`;
    case 'register':
      return `${datum.name} of VTL ${datum.vtl}`;
    case 'page':
      return `rights of VTL ${datum.vtl} to page ${datum.gpa}`;
  }
}
