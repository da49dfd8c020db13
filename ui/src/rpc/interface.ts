// The debugger's interface, typed: records, and the parameters and result of each method.
//
// Written by tools/rpc-pages from the table sim/rpc/methods.def. Do not edit: change the table, then
//     cmake --build --preset dev --target rpc-pages

/** 0 to 2^53 - 1: instants, counts, numbers of VTLs and processors. */
export type Integer = number;
/** "0x" and up to 32 hexadecimal digits: addresses, registers, sizes in memory. */
export type Hex = string;
/** Pairs of hexadecimal digits. */
export type Bytes = string;

/** One place to look from. */
export interface Focus {
  /** instant: instructions of all processors plus idle ticks before it */
  at: Integer;
  /** virtual processor, by number */
  vp: Integer;
  /** whose registers and addresses */
  vtl: Integer;
  /** of the stack, 0 (or absent) is the innermost */
  frame?: Integer;
  /** a datum that is looked at */
  address?: Hex;
}

/** An address and what it is called. */
export interface Place {
  address: Hex;
  /** as the kernel debugger shows it: nt, securekernel */
  module?: string;
  /** the nearest at or before it, qualified, without signature */
  symbol?: string;
  /** bytes from the symbol, or from the image where there is none */
  displacement?: Integer;
  /** source file, as the PDB names it */
  file?: string;
  line?: Integer;
  /** module!symbol+0x12, or the number */
  text: string;
}

/** A decoded argument. */
export interface Argument {
  name: string;
  /** formatted by what it means */
  value: string;
}

/** Something that happened. */
export interface Event {
  at: Integer;
  /** among all events of the run, from 0; in the answers of events.slice and events.locate */
  number?: Integer;
  vp: Integer;
  /** where it happened */
  vtl: Integer;
  /** as in sim/support/events.h: Hypercall, VtlCall ... */
  kind: string;
  /** of the call, service, exception, image; empty where the kind says all */
  name: string;
  arguments: Argument[];
  /** status, if it has one */
  outcome: string;
  /** raw values, by kind */
  a: Hex;
  b: Hex;
  c: Hex;
  /** of the instruction */
  place: Place;
  /** all of it in one line */
  text: string;
}

/** A value that was written. */
export interface Change {
  /** little-endian */
  before: Bytes;
  after: Bytes;
  /** both, by what they mean */
  text: string;
}

/** Where a motion ended, and why. */
export interface Stop {
  /** place: where was asked for. beginning, end: of the run, as far as it can be known */
  reason: 'step' | 'breakpoint' | 'watchpoint' | 'event' | 'place' | 'beginning' | 'end' | 'interrupted';
  /** the session's, from now on */
  focus: Focus;
  /** of the instruction that is about to execute */
  place: Place;
  /** executed up to here */
  instruction: Integer;
  ring: Integer;
  /** the processor waits in HLT */
  waits: boolean;
  /** ids of all that were met */
  breakpoints: Integer[];
  /** of a watchpoint */
  change?: Change;
  /** of an event breakpoint or query */
  event?: Event;
  /** why the run ends here */
  ending?: string;
  /** one sentence */
  text: string;
}

/** Register. */
export interface Register {
  name: string;
  value: Hex;
  /** 8, 16, 32, 64, 80 or 128 */
  bits: Integer;
  group: 'general' | 'segment' | 'control' | 'debug' | 'msr' | 'x87' | 'sse' | 'synthetic';
  /** VTLs of a processor share it */
  shared: boolean;
  /** its value before the last instruction of this processor, where that changed it */
  previous?: Hex;
}

/** A piece of memory whose bytes are alike in how they can be reached. */
export interface MemoryPart {
  /** from the address asked for */
  offset: Integer;
  length: Integer;
  /** denied: the second stage refuses this VTL */
  state: 'readable' | 'denied' | 'unmapped' | 'device';
  /** where readable */
  bytes?: Bytes;
  /** the rule that denied */
  why?: string;
}

/** A disassembled instruction. */
export interface Line {
  place: Place;
  bytes: Bytes;
  /** mnemonic and operands; ?? for what is none */
  text: string;
  /** the constant address that it names */
  target?: Place;
  /** the focus is here */
  current: boolean;
  breakpoints: Integer[];
  /** the source line, where it begins one and the file is at hand */
  source?: string;
}

/** A frame of the stack. */
export interface Frame {
  index: Integer;
  vtl: Integer;
  ring: Integer;
  /** where it goes on; of frame 0 the instruction about to execute */
  pc: Place;
  /** when the frame is the innermost */
  sp: Hex;
  /** how the frame inside it was entered */
  entered: 'call' | 'interrupt' | 'system_call' | 'vtl_call' | 'vtl_return' | 'start';
  /** false: found by the leaf rule because no .pdata covers it */
  trusted: boolean;
}

/** What a second stage permits. */
export interface Rights {
  mapped: boolean;
  read: boolean;
  write: boolean;
  kernel_execute: boolean;
  user_execute: boolean;
  /** of the page, where mapped */
  spa?: Hex;
}

/** A memory reference of a translation. */
export interface WalkReference {
  /** 1 or 2 */
  stage: Integer;
  level: Integer;
  /** of the entry: PML4E, PDPTE, PDE, PTE; of the second stage with S2 before it */
  name: string;
  /** of the entry in its table */
  index: Integer;
  /** of the entry */
  spa: Hex;
  /** stage 1: of the entry; stage 2: under translation */
  gpa: Hex;
  value: Hex;
  /** those that are set: P W U A D PS G NX; of the second stage r w kx ux */
  flags: string;
  leaf: boolean;
  present: boolean;
  /** the translation ended here, because of this entry */
  denied: boolean;
  /** stage 1: of each VTL to the page that the entry lies in; else empty */
  rights: Rights[];
}

/** A cached translation of a 4 KiB page. */
export interface TlbEntry {
  gva: Hex;
  gpa: Hex;
  spa: Hex;
  partition: Integer;
  vp: Integer;
  vtl: Integer;
  pcid: Integer;
  /** of both stages: W U NX G D / r w kx ux */
  rights: string;
}

/** Breakpoint. */
export interface Breakpoint {
  id: Integer;
  kind: 'code' | 'event' | 'write' | 'register' | 'access' | 'vtl';
  /** as it was given */
  what: string;
  /** what it means now: the address of a symbol, the kinds of events */
  text: string;
  /** only there */
  vtl?: Integer;
  /** only there */
  process?: string;
  /** an expression; the breakpoint counts only where it is true */
  condition?: string;
  /** hits still to pass over */
  ignore: Integer;
  /** so far, in both directions */
  hits: Integer;
  enabled: boolean;
  /** goes with its first hit */
  temporary: boolean;
  /** false: waits for an image that has this symbol */
  resolved: boolean;
}

/** An image in memory. */
export interface Module {
  name: string;
  /** file name */
  file: string;
  base: Hex;
  size: Hex;
  /** that announced it */
  vtl: Integer;
  /** whose, for images of user mode */
  process?: string;
  symbols: 'pdb' | 'exports' | 'none';
}

/** Symbol. */
export interface Symbol {
  place: Place;
}

/** A member of a structure, or an enumerator. */
export interface TypeField {
  name: string;
  /** as C writes it */
  type: string;
  /** bytes */
  offset: Integer;
  /** bytes */
  size: Integer;
  /** of a bit field: the first bit */
  bit?: Integer;
  /** of a bit field: their number */
  bits?: Integer;
  /** elements of an array */
  count?: Integer;
  /** where an address was given; ?? denied, -- unmapped */
  value?: string;
  /** what a pointer names */
  place?: Place;
}

/** A process as VTL 0 or VTL 1 knows it. */
export interface Process {
  name: string;
  vtl: Integer;
  pid: Integer;
  cr3: Hex;
  secure_handle?: Hex;
  /** EPROCESS or SKPROCESS */
  object?: Hex;
  current: boolean;
}

/** An SKPROCESS. */
export interface Trustlet {
  name: string;
  trustlet_id: Hex;
  pid: Integer;
  cr3: Hex;
  object: Hex;
  handle: Hex;
  /** what else its structure says */
  fields: TypeField[];
}

/** One line of a table whose columns differ. */
export interface Row {
  cells: string[];
  /** of the object */
  address?: Hex;
}

/** A call from one world into another. */
export interface CallNode {
  at: Integer;
  /** of its return; absent if it did not return yet */
  end?: Integer;
  vp: Integer;
  depth: Integer;
  from_vtl: Integer;
  to_vtl: Integer;
  /** instants from the call to its return */
  inclusive?: Integer;
  /** those of them that no call inside it took */
  exclusive?: Integer;
  /** how the other world was entered */
  kind: 'vtl_call' | 'vtl_return' | 'hypercall' | 'interrupt';
  /** of the service or hypercall */
  name: string;
  /** name, arguments and answer */
  text: string;
}

/** A stretch of time and what happened in it. */
export interface Bucket {
  from: Integer;
  to: Integer;
  /** events of the run before it */
  row: Integer;
  /** instants in VTL 0, summed over the processors */
  vtl0: Integer;
  vtl1: Integer;
  /** instants that each processor stood in each VTL: VTL 0, 1 and 2 of VP 0, of VP 1 ... */
  lanes: Integer[];
  /** of events, by the kinds of events.summary's answer */
  counts: Integer[];
}

/** A place that somebody marked. */
export interface Bookmark {
  /** stays the same as long as the bookmark is there */
  id: Integer;
  at: Integer;
  /** its first line is its name, what follows is a note */
  text: string;
}

/** A parameter or local of a function. */
export interface Variable {
  name: string;
  /** as C writes it */
  type: string;
  /** ?? denied, -- unmapped; empty where it is nowhere at this instruction */
  value: string;
  /** a register, or an address with the register that it is from */
  where: string;
  /** in memory */
  address?: Hex;
  parameter: boolean;
  /** what a pointer names */
  place?: Place;
}

/** A word of the stack and what it leads to. */
export interface StackWord {
  address: Hex;
  /** absent: it cannot be read */
  value?: Hex;
  /** a frame of the stack goes on there */
  returns: boolean;
  /** what it names, and what is there, and what that names: at most 4 */
  chain: string[];
}

/** An instruction that was executed, or will be. */
export interface TrailStep {
  /** instant before it */
  at: Integer;
  vp: Integer;
  vtl: Integer;
  address: Hex;
}

/** A change of what a VTL may do with a page. */
export interface PageChange {
  at: Integer;
  vp: Integer;
  /** who asked for it */
  by_vtl: Integer;
  /** whose rights */
  vtl: Integer;
  /** r w kx ux, - for none */
  before: string;
  after: string;
  /** of the instruction */
  place: Place;
}

/** Something that a fuzzer found. */
export interface Finding {
  /** name of its folder */
  id: string;
  /** what was broken */
  oracle: string;
  /** that broke it, with its arguments */
  call: string;
  /** one sentence */
  text: string;
  /** instant of the violation in its recording */
  at?: Integer;
  /** file, absent if there is none */
  recording?: string;
  /** it is what is debugged now */
  opened: boolean;
}

/** By the method's name. */
export interface Methods {
  /** What is debugged, and what this program can do. The first call of a client. */
  'hello': {
    effect: 'Looks';
    parameters: {
      /** a name, for messages */
      client?: string;
    };
    result: {
      /** airlock */
      program: string;
      version: string;
      /** of this interface */
      protocol: Integer;
      /** the file */
      recording?: string;
      /** the future is made by running */
      live: boolean;
      /** the recording that it is compared with: over HTTP the session of /ws?run=1 */
      other?: string;
      /** id of the finding that this is the recording of */
      finding?: string;
      processors: Integer;
      /** bytes of RAM */
      memory: Hex;
      /** hash */
      configuration: string;
      /** that are implemented */
      methods: string[];
    };
  };
  /** Where the session stands. */
  'status': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      focus: Focus;
      /** the last instant known */
      end: Integer;
      /** why the run ends, once that is known */
      ending?: string;
      /** executed up to the focus */
      instructions: Integer;
      /** the what-if branch, with what was changed; absent: this is the run itself */
      branch?: string;
      /** the first instant */
      beginning: Integer;
      /** known by now */
      events: Integer;
      /** what the replay was compared with so far, and whether it was the same */
      verified?: string;
      /** what was wrong with the recording, images or symbols */
      complaints: string[];
      /** hash of the whole state */
      fingerprint: string;
    };
  };
  /** Reads images and symbols again. */
  'reload': {
    effect: 'Moves';
    parameters: {
      /** look there too */
      folder?: string;
    };
    result: {
      modules: Module[];
      complaints: string[];
    };
  };
  /** Debugs the recording of a finding from now on, and stands a little before its violation. All clients are told: `opened`. */
  'open': {
    effect: 'Moves';
    parameters: {
      /** id */
      finding: string;
    };
    result: {
      stop: Stop;
    };
  };
  /** Moves the session's focus to an instant, or to another processor, VTL or frame of this one. */
  'focus': {
    effect: 'Moves';
    parameters: {
      at?: Integer;
      vp?: Integer;
      vtl?: Integer;
      frame?: Integer;
      address?: Hex;
    };
    result: {
      stop: Stop;
    };
  };
  /** One instruction, call or frame, in either direction. */
  'step': {
    effect: 'Moves';
    parameters: {
      /** over: calls of all kinds, into the other VTL too */
      kind: 'into' | 'over' | 'out';
      back?: boolean;
      /** 1 if absent */
      count?: Integer;
      /** instruction if absent */
      by?: 'instruction' | 'line';
    };
    result: {
      stop: Stop;
    };
  };
  /** On, or back, to the next breakpoint; or to a place or query as if it were one. */
  'run': {
    effect: 'Moves';
    parameters: {
      back?: boolean;
      /** a place, as breakpoint.set has it: to the cursor */
      to?: string;
      /** an expression over events: on to the first event for which it is true */
      until?: string;
      /** false: pass over them */
      breakpoints?: boolean;
    };
    result: {
      stop: Stop;
    };
  };
  /** Ends a motion that is under way, of whichever client. Answered at once. */
  'interrupt': {
    effect: 'Moves';
    parameters: Record<string, never>;
    result: Record<string, never>;
  };
  /** A breakpoint or watchpoint. */
  'breakpoint.set': {
    effect: 'Moves';
    parameters: {
      kind: 'code' | 'event' | 'write' | 'register' | 'access' | 'vtl';
      /** code: an address expression. event: a kind or name (vtl-call, hypercall, secure-service, normal-call, ium-call, intercept, slat-violation, msr, control-register, interrupt, exception, protection, tlb-flush, image-load, trustlet-start), with =NAME or =NUMBER for those that have names. write: [gva:|gpa:|spa:]ADDRESS[+BYTES], BYTES hexadecimal: 1 to 10000, 8 if absent. access: the same, reads too. register: a name. vtl: a number */
      what: string;
      vtl?: Integer;
      vp?: Integer;
      process?: string;
      condition?: string;
      ignore?: Integer;
      temporary?: boolean;
    };
    result: {
      breakpoint: Breakpoint;
    };
  };
  'breakpoint.list': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      breakpoints: Breakpoint[];
    };
  };
  'breakpoint.change': {
    effect: 'Moves';
    parameters: {
      id: Integer;
      enabled?: boolean;
      /** empty: none */
      condition?: string;
      ignore?: Integer;
    };
    result: {
      breakpoint: Breakpoint;
    };
  };
  'breakpoint.remove': {
    effect: 'Moves';
    parameters: {
      id: Integer;
    };
    result: Record<string, never>;
  };
  /** The kinds of events that a breakpoint can name. */
  'breakpoint.events': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      /** name and, as type, what it means */
      kinds: TypeField[];
    };
  };
  'registers': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** only these */
      groups?: string[];
    };
    result: {
      registers: Register[];
      /** the processor runs in this VTL now */
      active: boolean;
      /** the partition has this VTL by now */
      enabled: boolean;
    };
  };
  /** Memory as the focus' VTL sees it, through its tables, or by physical address. */
  'memory.read': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      space: 'gva' | 'gpa' | 'spa';
      address: Hex;
      /** 1 to 1048576 */
      length: Integer;
      /** with the tables of this process */
      process?: string;
      /** gpa: as the hypervisor, not as the VTL */
      privileged?: boolean;
    };
    result: {
      parts: MemoryPart[];
    };
  };
  /** The first places of a pattern. */
  'memory.search': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      space: 'gva' | 'gpa' | 'spa';
      address: Hex;
      length: Hex;
      /** 1 to 256 */
      pattern: Bytes;
      /** 64 if absent */
      maximum?: Integer;
      process?: string;
    };
    result: {
      found: Hex[];
      /** bytes that could not be read */
      skipped: Hex;
    };
  };
  'disassemble': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** the focus' own if absent */
      address?: Hex;
      /** 1 to 4096 */
      count: Integer;
      /** so many instructions before it, as well as they can be known */
      before?: Integer;
      process?: string;
    };
    result: {
      lines: Line[];
    };
  };
  /** Frames from the innermost out, across rings and VTLs. */
  'stack': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** 64 if absent */
      maximum?: Integer;
    };
    result: {
      frames: Frame[];
      /** why it ends there */
      why: string;
    };
  };
  /** Parameters and locals of the focus' frame. */
  'variables': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
    };
    result: {
      variables: Variable[];
      /** why there are none */
      complaint?: string;
    };
  };
  /** Words of the stack, and what they lead to. */
  'telescope': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** RSP of the focus' frame if absent */
      address?: Hex;
      /** 1 to 256; 32 if absent */
      count?: Integer;
    };
    result: {
      words: StackWord[];
    };
  };
  /** Instructions that the focus' processor executed last, and those that it executes next. */
  'trail': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** 0 to 256 */
      before: Integer;
      /** 0 to 256: fewer where the future is not known */
      after: Integer;
    };
    result: {
      /** in the order of time */
      past: TrailStep[];
      /** the first is the focus' own */
      future: TrailStep[];
    };
  };
  /** What a number could be, for whoever points at it. */
  'about': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      number: Hex;
      /** gva if absent */
      space?: 'gva' | 'gpa' | 'spa';
      process?: string;
    };
    result: {
      /** symbol or image */
      place?: Place;
      /** of what is there */
      state: 'readable' | 'denied' | 'unmapped' | 'device';
      /** up to 16 bytes there */
      value?: Bytes;
      gpa?: Hex;
      spa?: Hex;
      /** of each VTL to the page */
      rights: Rights[];
      /** image, process, stack or structure that the page belongs to */
      owner?: string;
      /** all of it for people */
      lines: string[];
    };
  };
  /** A translation, reference by reference, and the rule that decided. */
  'walk': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      address: Hex;
      access: 'read' | 'write' | 'execute';
      /** ring 3; else as the processor is */
      user?: boolean;
      process?: string;
    };
    result: {
      references: WalkReference[];
      granted: boolean;
      rule: string;
      gpa?: Hex;
      spa?: Hex;
      cached?: TlbEntry;
      /** of each VTL to the last GPA */
      rights: Rights[];
      /** that the timing model charges for the references, were nothing cached */
      cycles: Integer;
      /** for people */
      text: string;
    };
  };
  /** What each VTL may do with a page. */
  'slat.page': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      gpa: Hex;
    };
    result: {
      /** by VTL */
      rights: Rights[];
    };
  };
  /** Permissions of many pages. */
  'slat.map': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      gpa: Hex;
      /** 1 to 1048576 */
      pages: Integer;
      /** the focus' own if absent */
      vtl?: Integer;
    };
    result: {
      /** a byte a page: 1 read, 2 write, 4 kernel execute, 8 user execute, 10 mapped (hexadecimal) */
      pages: Bytes;
    };
  };
  /** The changes of rights to a page, the latest first. */
  'slat.history': {
    effect: 'Looks';
    parameters: {
      /** what is after it is left out */
      focus?: Focus;
      gpa: Hex;
      /** 32 if absent */
      maximum?: Integer;
    };
    result: {
      changes: PageChange[];
      more: boolean;
    };
  };
  'tlb': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** 1024 if absent */
      maximum?: Integer;
    };
    result: {
      entries: TlbEntry[];
      used: Integer;
      capacity: Integer;
      /** walks since the machine began; hits are not counted: engines keep translations of their own */
      misses: Integer;
    };
  };
  /** An expression: numbers, registers, symbols, memory, members of structures. */
  'evaluate': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** docs/debugger.md has the language */
      expression: string;
    };
    result: {
      type: string;
      value: string;
      number?: Hex;
      place?: Place;
    };
  };
  /** Who wrote it last before the focus. */
  'who_wrote': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      what: 'memory' | 'register' | 'pte' | 'slat';
      /** of memory; gva if absent */
      space?: 'gva' | 'gpa' | 'spa';
      address?: Hex;
      /** of memory; 8 if absent */
      length?: Integer;
      register?: string;
      /** of pte; 1 if absent */
      level?: Integer;
      process?: string;
    };
    result: {
      found: boolean;
      /** just before it was written */
      at?: Focus;
      place?: Place;
      change?: Change;
      /** by the delivery of an interrupt before that instruction */
      between?: boolean;
      event?: Event;
      text: string;
    };
  };
  /** Events in the order of time, from an instant on or back. */
  'events.list': {
    effect: 'Looks';
    parameters: {
      /** the focus' instant if absent */
      from?: Integer;
      back?: boolean;
      /** 100 if absent; at most 10000 */
      maximum?: Integer;
      /** an expression over event and state */
      query?: string;
      /** no further */
      to?: Integer;
    };
    result: {
      events: Event[];
      more: boolean;
    };
  };
  /** Rows of the list of all events, or of those that a query takes. A query is looked for piece by piece: until `complete`, call again. */
  'events.slice': {
    effect: 'Looks';
    parameters: {
      /** row */
      first: Integer;
      /** 0 to 1000 */
      count: Integer;
      /** an expression over event and state */
      query?: string;
    };
    result: {
      events: Event[];
      /** rows known by now */
      total: Integer;
      /** all events known by now were looked at */
      complete: boolean;
      /** events that were looked at */
      looked_at: Integer;
    };
  };
  /** The row of the first event at or after an instant. */
  'events.locate': {
    effect: 'Looks';
    parameters: {
      at: Integer;
      query?: string;
    };
    result: {
      /** the number of rows where there is none */
      row: Integer;
      complete: boolean;
    };
  };
  'events.count': {
    effect: 'Looks';
    parameters: {
      from?: Integer;
      to?: Integer;
      query?: string;
    };
    result: {
      count: Integer;
    };
  };
  /** What a timeline draws. Events are counted piece by piece: until `complete`, call again. */
  'events.summary': {
    effect: 'Looks';
    parameters: {
      /** instant, or row of the list of all events */
      from: Integer;
      /** not any more */
      to: Integer;
      /** 1 to 4096 */
      buckets: Integer;
      /** only these events are counted */
      query?: string;
      /** events: from and to are rows, and buckets have equally many; time if absent */
      by?: 'time' | 'events';
    };
    result: {
      /** the columns of counts */
      kinds: string[];
      buckets: Bucket[];
      /** all events known by now were counted; else those up to some instant: call again */
      complete: boolean;
    };
  };
  /** The calls between the worlds as a tree, flattened. */
  'calls': {
    effect: 'Looks';
    parameters: {
      from?: Integer;
      to?: Integer;
      /** 1000 if absent */
      maximum?: Integer;
      hypercalls?: boolean;
      /** also those that began before `from` and had not returned */
      enclosing?: boolean;
    };
    result: {
      calls: CallNode[];
      more: boolean;
      /** those that had not returned before `from` are known; else call again */
      complete: boolean;
    };
  };
  /** What a stretch of the run costs by the timing model: it is executed once more for it. */
  'cycles': {
    effect: 'Looks';
    parameters: {
      from: Integer;
      /** ten million instants later or fewer */
      to: Integer;
    };
    result: {
      cycles: Integer;
      /** what for, cycles and share, the dearest first */
      rows: Row[];
    };
  };
  /** A stretch of the run as a file of another tool. */
  'export': {
    effect: 'Looks';
    parameters: {
      kind: 'perfetto' | 'drcov' | 'tenet' | 'csv';
      from: Integer;
      to: Integer;
      /** drcov, tenet: whose; 0 if absent */
      vtl?: Integer;
    };
    result: {
      /** a file name */
      name: string;
      /** the file, at most 8 MiB */
      base64: string;
      /** what is in it */
      text: string;
    };
  };
  'bookmark.add': {
    effect: 'Moves';
    parameters: {
      /** the focus' instant if absent */
      at?: Integer;
      text: string;
    };
    result: {
      bookmark: Bookmark;
      /** in the recording */
      saved: boolean;
    };
  };
  'bookmark.change': {
    effect: 'Moves';
    parameters: {
      id: Integer;
      text: string;
    };
    result: {
      bookmark: Bookmark;
      /** in the recording */
      saved: boolean;
    };
  };
  'bookmark.remove': {
    effect: 'Moves';
    parameters: {
      id: Integer;
    };
    result: {
      /** in the recording */
      saved: boolean;
    };
  };
  'bookmark.list': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      bookmarks: Bookmark[];
    };
  };
  /** Where this run and the other one part: the first event that is not the same in both. Without it, from there on. */
  'compare': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      same: boolean;
      /** of that event, in both */
      number?: Integer;
      /** of it in this run, or this run's end */
      at?: Integer;
      other_at?: Integer;
      /** absent: this run has ended */
      event?: Event;
      other_event?: Event;
      /** the last instant at which both recordings hold the same state hash */
      hash_at?: Integer;
      text: string;
    };
  };
  /** What fuzzing found, in the folder that was given. */
  'findings': {
    effect: 'Looks';
    parameters: Record<string, never>;
    result: {
      findings: Finding[];
      /** absent: none was given */
      folder?: string;
    };
  };
  'modules': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
    };
    result: {
      modules: Module[];
    };
  };
  /** Symbols by a pattern with * and ?, without case. */
  'symbols.find': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** module!name, or a name in any module */
      pattern: string;
      /** 100 if absent */
      maximum?: Integer;
    };
    result: {
      symbols: Symbol[];
      more: boolean;
    };
  };
  'symbols.at': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      address: Hex;
    };
    result: {
      place: Place;
    };
  };
  /** Lines of a source file that a PDB names, if it is at hand. */
  'source': {
    effect: 'Looks';
    parameters: {
      /** as Place has it */
      file: string;
      /** 1 if absent */
      from?: Integer;
      /** all if absent */
      count?: Integer;
    };
    result: {
      lines: string[];
      /** where it was found */
      path?: string;
    };
  };
  /** Where the code of a source line begins: of the first line at or after it that has code. */
  'source.places': {
    effect: 'Looks';
    parameters: {
      /** the end of its path, without case, either slash */
      file: string;
      line: Integer;
    };
    result: {
      /** the one that has code; absent: there is none */
      line?: Integer;
      /** ascending */
      places: Place[];
    };
  };
  'types.find': {
    effect: 'Looks';
    parameters: {
      /** module!name with * and ? */
      pattern: string;
      maximum?: Integer;
    };
    result: {
      names: string[];
      more: boolean;
    };
  };
  /** A structure's members, and their values if an address is given. */
  'type': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      /** module!name or a name */
      name: string;
      address?: Hex;
      process?: string;
    };
    result: {
      name: string;
      kind: 'struct' | 'union' | 'enum' | 'class';
      size: Integer;
      fields: TypeField[];
    };
  };
  /** As both kernels know them. */
  'processes': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
    };
    result: {
      processes: Process[];
    };
  };
  /** What the secure kernel keeps of each. */
  'trustlets': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
    };
    result: {
      trustlets: Trustlet[];
    };
  };
  /** What the secure kernel keeps: read from its memory by the types of its PDB. */
  'kernel.table': {
    effect: 'Looks';
    parameters: {
      focus?: Focus;
      what: 'threads' | 'secure_threads' | 'handles' | 'mailboxes' | 'blobs' | 'images' | 'pools' | 'ranges';
    };
    result: {
      columns: string[];
      rows: Row[];
      /** why it is not complete */
      complaint?: string;
    };
  };
  /** From here on this is no longer the run that was recorded: memory and registers can be changed, and it runs on from them. */
  'branch.begin': {
    effect: 'Forks';
    parameters: {
      name?: string;
    };
    result: {
      branch: string;
    };
  };
  /** Back to the run, where the branch began. */
  'branch.end': {
    effect: 'Forks';
    parameters: Record<string, never>;
    result: {
      stop: Stop;
    };
  };
  /** Refused outside a branch. */
  'memory.write': {
    effect: 'Forks';
    parameters: {
      space: 'gva' | 'gpa' | 'spa';
      address: Hex;
      /** 1 to 65536 */
      bytes: Bytes;
      process?: string;
      vtl?: Integer;
    };
    result: {
      branch: string;
    };
  };
  /** Refused outside a branch, and where the processor could not hold the value. */
  'registers.write': {
    effect: 'Forks';
    parameters: {
      name: string;
      value: Hex;
      vtl?: Integer;
      vp?: Integer;
    };
    result: {
      branch: string;
    };
  };
  /** Writes the present as a file for other tools. */
  'dump': {
    effect: 'Writes';
    parameters: {
      /** kernel: a Windows kernel dump of VTL 0's view; core: an ELF core; listing: disassembly with coverage */
      kind: 'kernel' | 'secure_kernel' | 'core' | 'listing';
      path: string;
      /** of listing */
      module?: string;
      /** listing: which instructions ran up to the focus, and how often: the run is gone through once more for it; true if absent */
      coverage?: boolean;
      /** kernel: also pages that VTL 0 may not read */
      everything?: boolean;
    };
    result: {
      path: string;
      bytes: Integer;
      /** what is in it */
      text: string;
    };
  };
  /** A command of the console, as text; its output. What gdb's monitor and DAP's REPL use. */
  'console': {
    effect: 'Moves';
    parameters: {
      line: string;
      colours?: boolean;
    };
    result: {
      output: string;
      /** if it moved */
      stop?: Stop;
      /** the command was quit */
      ended: boolean;
    };
  };
  'console.complete': {
    effect: 'Looks';
    parameters: {
      line: string;
    };
    result: {
      /** byte of the line where the words begin */
      from: Integer;
      words: string[];
    };
  };
}

export type MethodName = keyof Methods;
