"""The debugger's interface, typed: records as dataclasses, one method per row.

Written by tools/rpc-pages from the table sim/rpc/methods.def. Do not edit: change the table, then
    cmake --build --preset dev --target rpc-pages
Numbers that are texts in JSON ("0x1000") are int here, bytes are bytes.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Literal, cast


@dataclass(frozen=True, slots=True)
class Focus:
    """One place to look from."""

    at: int  # instant: instructions of all processors plus idle ticks before it
    vp: int  # virtual processor, by number
    vtl: int  # whose registers and addresses
    frame: int | None = None  # of the stack, 0 (or absent) is the innermost
    address: int | None = None  # a datum that is looked at


@dataclass(frozen=True, slots=True)
class Place:
    """An address and what it is called."""

    address: int
    text: str  # module!symbol+0x12, or the number
    module: str | None = None  # as the kernel debugger shows it: nt, securekernel
    symbol: str | None = None  # the nearest at or before it, qualified, without signature
    displacement: int | None = None  # bytes from the symbol, or from the image where there is none
    file: str | None = None  # source file, as the PDB names it
    line: int | None = None


@dataclass(frozen=True, slots=True)
class Argument:
    """A decoded argument."""

    name: str
    value: str  # formatted by what it means


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened."""

    at: int
    vp: int
    vtl: int  # where it happened
    kind: str  # as in sim/support/events.h: Hypercall, VtlCall ...
    name: str  # of the call, service, exception, image; empty where the kind says all
    arguments: list[Argument]
    outcome: str  # status, if it has one
    a: int  # raw values, by kind
    b: int
    c: int
    place: Place  # of the instruction
    text: str  # all of it in one line
    number: int | None = None  # among all events of the run, from 0; in the answers of events.slice and events.locate


@dataclass(frozen=True, slots=True)
class Change:
    """A value that was written."""

    before: bytes  # little-endian
    after: bytes
    text: str  # both, by what they mean


@dataclass(frozen=True, slots=True)
class Stop:
    """Where a motion ended, and why."""

    reason: Literal["step", "breakpoint", "watchpoint", "event", "place", "beginning", "end", "interrupted"]  # place: where was asked for. beginning, end: of the run, as far as it can be known
    focus: Focus  # the session's, from now on
    place: Place  # of the instruction that is about to execute
    instruction: int  # executed up to here
    ring: int
    waits: bool  # the processor waits in HLT
    breakpoints: list[int]  # ids of all that were met
    text: str  # one sentence
    change: Change | None = None  # of a watchpoint
    event: Event | None = None  # of an event breakpoint or query
    ending: str | None = None  # why the run ends here


@dataclass(frozen=True, slots=True)
class Register:
    """Register."""

    name: str
    value: int
    bits: int  # 8, 16, 32, 64, 80 or 128
    group: Literal["general", "segment", "control", "debug", "msr", "x87", "sse", "synthetic"]
    shared: bool  # VTLs of a processor share it
    previous: int | None = None  # its value before the last instruction of this processor, where that changed it


@dataclass(frozen=True, slots=True)
class MemoryPart:
    """A piece of memory whose bytes are alike in how they can be reached."""

    offset: int  # from the address asked for
    length: int
    state: Literal["readable", "denied", "unmapped", "device"]  # denied: the second stage refuses this VTL
    bytes: bytes | None = None  # where readable
    why: str | None = None  # the rule that denied


@dataclass(frozen=True, slots=True)
class Line:
    """A disassembled instruction."""

    place: Place
    bytes: bytes
    text: str  # mnemonic and operands; ?? for what is none
    current: bool  # the focus is here
    breakpoints: list[int]
    target: Place | None = None  # the constant address that it names
    source: str | None = None  # the source line, where it begins one and the file is at hand


@dataclass(frozen=True, slots=True)
class Frame:
    """A frame of the stack."""

    index: int
    vtl: int
    ring: int
    pc: Place  # where it goes on; of frame 0 the instruction about to execute
    sp: int  # when the frame is the innermost
    entered: Literal["call", "interrupt", "system_call", "vtl_call", "vtl_return", "start"]  # how the frame inside it was entered
    trusted: bool  # false: found by the leaf rule because no .pdata covers it


@dataclass(frozen=True, slots=True)
class Rights:
    """What a second stage permits."""

    mapped: bool
    read: bool
    write: bool
    kernel_execute: bool
    user_execute: bool
    spa: int | None = None  # of the page, where mapped


@dataclass(frozen=True, slots=True)
class WalkReference:
    """A memory reference of a translation."""

    stage: int  # 1 or 2
    level: int
    name: str  # of the entry: PML4E, PDPTE, PDE, PTE; of the second stage with S2 before it
    index: int  # of the entry in its table
    spa: int  # of the entry
    gpa: int  # stage 1: of the entry; stage 2: under translation
    value: int
    flags: str  # those that are set: P W U A D PS G NX; of the second stage r w kx ux
    leaf: bool
    present: bool
    denied: bool  # the translation ended here, because of this entry
    rights: list[Rights]  # stage 1: of each VTL to the page that the entry lies in; else empty


@dataclass(frozen=True, slots=True)
class TlbEntry:
    """A cached translation of a 4 KiB page."""

    gva: int
    gpa: int
    spa: int
    partition: int
    vp: int
    vtl: int
    pcid: int
    rights: str  # of both stages: W U NX G D / r w kx ux


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Breakpoint."""

    id: int
    kind: Literal["code", "event", "write", "register", "access", "vtl"]
    what: str  # as it was given
    text: str  # what it means now: the address of a symbol, the kinds of events
    ignore: int  # hits still to pass over
    hits: int  # so far, in both directions
    enabled: bool
    temporary: bool  # goes with its first hit
    resolved: bool  # false: waits for an image that has this symbol
    vtl: int | None = None  # only there
    process: str | None = None  # only there
    condition: str | None = None  # an expression; the breakpoint counts only where it is true


@dataclass(frozen=True, slots=True)
class Module:
    """An image in memory."""

    name: str
    file: str  # file name
    base: int
    size: int
    vtl: int  # that announced it
    symbols: Literal["pdb", "exports", "none"]
    process: str | None = None  # whose, for images of user mode


@dataclass(frozen=True, slots=True)
class Symbol:
    """Symbol."""

    place: Place


@dataclass(frozen=True, slots=True)
class TypeField:
    """A member of a structure, or an enumerator."""

    name: str
    type: str  # as C writes it
    offset: int  # bytes
    size: int  # bytes
    bit: int | None = None  # of a bit field: the first bit
    bits: int | None = None  # of a bit field: their number
    count: int | None = None  # elements of an array
    value: str | None = None  # where an address was given; ?? denied, -- unmapped
    place: Place | None = None  # what a pointer names


@dataclass(frozen=True, slots=True)
class Process:
    """A process as VTL 0 or VTL 1 knows it."""

    name: str
    vtl: int
    pid: int
    cr3: int
    current: bool
    secure_handle: int | None = None
    object: int | None = None  # EPROCESS or SKPROCESS


@dataclass(frozen=True, slots=True)
class Trustlet:
    """An SKPROCESS."""

    name: str
    trustlet_id: int
    pid: int
    cr3: int
    object: int
    handle: int
    fields: list[TypeField]  # what else its structure says


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a table whose columns differ."""

    cells: list[str]
    address: int | None = None  # of the object


@dataclass(frozen=True, slots=True)
class CallNode:
    """A call from one world into another."""

    at: int
    vp: int
    depth: int
    from_vtl: int
    to_vtl: int
    kind: Literal["vtl_call", "vtl_return", "hypercall", "interrupt"]  # how the other world was entered
    name: str  # of the service or hypercall
    text: str  # name, arguments and answer
    end: int | None = None  # of its return; absent if it did not return yet
    inclusive: int | None = None  # instants from the call to its return
    exclusive: int | None = None  # those of them that no call inside it took


@dataclass(frozen=True, slots=True)
class Bucket:
    """A stretch of time and what happened in it."""

    from_: int
    to: int
    row: int  # events of the run before it
    vtl0: int  # instants in VTL 0, summed over the processors
    vtl1: int
    lanes: list[int]  # instants that each processor stood in each VTL: VTL 0, 1 and 2 of VP 0, of VP 1 ...
    counts: list[int]  # of events, by the kinds of events.summary's answer


@dataclass(frozen=True, slots=True)
class Bookmark:
    """A place that somebody marked."""

    id: int  # stays the same as long as the bookmark is there
    at: int
    text: str  # its first line is its name, what follows is a note


@dataclass(frozen=True, slots=True)
class Variable:
    """A parameter or local of a function."""

    name: str
    type: str  # as C writes it
    value: str  # ?? denied, -- unmapped; empty where it is nowhere at this instruction
    where: str  # a register, or an address with the register that it is from
    parameter: bool
    address: int | None = None  # in memory
    place: Place | None = None  # what a pointer names


@dataclass(frozen=True, slots=True)
class StackWord:
    """A word of the stack and what it leads to."""

    address: int
    returns: bool  # a frame of the stack goes on there
    chain: list[str]  # what it names, and what is there, and what that names: at most 4
    value: int | None = None  # absent: it cannot be read


@dataclass(frozen=True, slots=True)
class TrailStep:
    """An instruction that was executed, or will be."""

    at: int  # instant before it
    vp: int
    vtl: int
    address: int


@dataclass(frozen=True, slots=True)
class PageChange:
    """A change of what a VTL may do with a page."""

    at: int
    vp: int
    by_vtl: int  # who asked for it
    vtl: int  # whose rights
    before: str  # r w kx ux, - for none
    after: str
    place: Place  # of the instruction


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a fuzzer found."""

    id: str  # name of its folder
    oracle: str  # what was broken
    call: str  # that broke it, with its arguments
    text: str  # one sentence
    opened: bool  # it is what is debugged now
    at: int | None = None  # instant of the violation in its recording
    recording: str | None = None  # file, absent if there is none


@dataclass(frozen=True, slots=True)
class HelloResult:
    """What hello answers."""

    program: str  # airlock
    version: str
    protocol: int  # of this interface
    live: bool  # the future is made by running
    processors: int
    memory: int  # bytes of RAM
    configuration: str  # hash
    methods: list[str]  # that are implemented
    recording: str | None = None  # the file
    other: str | None = None  # the recording that it is compared with: over HTTP the session of /ws?run=1
    finding: str | None = None  # id of the finding that this is the recording of


@dataclass(frozen=True, slots=True)
class StatusResult:
    """What status answers."""

    focus: Focus
    end: int  # the last instant known
    instructions: int  # executed up to the focus
    beginning: int  # the first instant
    events: int  # known by now
    complaints: list[str]  # what was wrong with the recording, images or symbols
    fingerprint: str  # hash of the whole state
    ending: str | None = None  # why the run ends, once that is known
    branch: str | None = None  # the what-if branch, with what was changed; absent: this is the run itself
    verified: str | None = None  # what the replay was compared with so far, and whether it was the same


@dataclass(frozen=True, slots=True)
class ReloadResult:
    """What reload answers."""

    modules: list[Module]
    complaints: list[str]


@dataclass(frozen=True, slots=True)
class OpenResult:
    """What open answers."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class FocusResult:
    """What focus answers."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class StepResult:
    """What step answers."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class RunResult:
    """What run answers."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class BreakpointSetResult:
    """What breakpoint.set answers."""

    breakpoint: Breakpoint


@dataclass(frozen=True, slots=True)
class BreakpointListResult:
    """What breakpoint.list answers."""

    breakpoints: list[Breakpoint]


@dataclass(frozen=True, slots=True)
class BreakpointChangeResult:
    """What breakpoint.change answers."""

    breakpoint: Breakpoint


@dataclass(frozen=True, slots=True)
class BreakpointEventsResult:
    """What breakpoint.events answers."""

    kinds: list[TypeField]  # name and, as type, what it means


@dataclass(frozen=True, slots=True)
class RegistersResult:
    """What registers answers."""

    registers: list[Register]
    active: bool  # the processor runs in this VTL now
    enabled: bool  # the partition has this VTL by now


@dataclass(frozen=True, slots=True)
class MemoryReadResult:
    """What memory.read answers."""

    parts: list[MemoryPart]


@dataclass(frozen=True, slots=True)
class MemorySearchResult:
    """What memory.search answers."""

    found: list[int]
    skipped: int  # bytes that could not be read


@dataclass(frozen=True, slots=True)
class DisassembleResult:
    """What disassemble answers."""

    lines: list[Line]


@dataclass(frozen=True, slots=True)
class StackResult:
    """What stack answers."""

    frames: list[Frame]
    why: str  # why it ends there


@dataclass(frozen=True, slots=True)
class VariablesResult:
    """What variables answers."""

    variables: list[Variable]
    complaint: str | None = None  # why there are none


@dataclass(frozen=True, slots=True)
class TelescopeResult:
    """What telescope answers."""

    words: list[StackWord]


@dataclass(frozen=True, slots=True)
class TrailResult:
    """What trail answers."""

    past: list[TrailStep]  # in the order of time
    future: list[TrailStep]  # the first is the focus' own


@dataclass(frozen=True, slots=True)
class AboutResult:
    """What about answers."""

    state: Literal["readable", "denied", "unmapped", "device"]  # of what is there
    rights: list[Rights]  # of each VTL to the page
    lines: list[str]  # all of it for people
    place: Place | None = None  # symbol or image
    value: bytes | None = None  # up to 16 bytes there
    gpa: int | None = None
    spa: int | None = None
    owner: str | None = None  # image, process, stack or structure that the page belongs to


@dataclass(frozen=True, slots=True)
class WalkResult:
    """What walk answers."""

    references: list[WalkReference]
    granted: bool
    rule: str
    rights: list[Rights]  # of each VTL to the last GPA
    cycles: int  # that the timing model charges for the references, were nothing cached
    text: str  # for people
    gpa: int | None = None
    spa: int | None = None
    cached: TlbEntry | None = None


@dataclass(frozen=True, slots=True)
class SlatPageResult:
    """What slat.page answers."""

    rights: list[Rights]  # by VTL


@dataclass(frozen=True, slots=True)
class SlatMapResult:
    """What slat.map answers."""

    pages: bytes  # a byte a page: 1 read, 2 write, 4 kernel execute, 8 user execute, 10 mapped (hexadecimal)


@dataclass(frozen=True, slots=True)
class SlatHistoryResult:
    """What slat.history answers."""

    changes: list[PageChange]
    more: bool


@dataclass(frozen=True, slots=True)
class TlbResult:
    """What tlb answers."""

    entries: list[TlbEntry]
    used: int
    capacity: int
    misses: int  # walks since the machine began; hits are not counted: engines keep translations of their own


@dataclass(frozen=True, slots=True)
class EvaluateResult:
    """What evaluate answers."""

    type: str
    value: str
    number: int | None = None
    place: Place | None = None


@dataclass(frozen=True, slots=True)
class WhoWroteResult:
    """What who_wrote answers."""

    found: bool
    text: str
    at: Focus | None = None  # just before it was written
    place: Place | None = None
    change: Change | None = None
    between: bool | None = None  # by the delivery of an interrupt before that instruction
    event: Event | None = None


@dataclass(frozen=True, slots=True)
class EventsListResult:
    """What events.list answers."""

    events: list[Event]
    more: bool


@dataclass(frozen=True, slots=True)
class EventsSliceResult:
    """What events.slice answers."""

    events: list[Event]
    total: int  # rows known by now
    complete: bool  # all events known by now were looked at
    looked_at: int  # events that were looked at


@dataclass(frozen=True, slots=True)
class EventsLocateResult:
    """What events.locate answers."""

    row: int  # the number of rows where there is none
    complete: bool


@dataclass(frozen=True, slots=True)
class EventsCountResult:
    """What events.count answers."""

    count: int


@dataclass(frozen=True, slots=True)
class EventsSummaryResult:
    """What events.summary answers."""

    kinds: list[str]  # the columns of counts
    buckets: list[Bucket]
    complete: bool  # all events known by now were counted; else those up to some instant: call again


@dataclass(frozen=True, slots=True)
class CallsResult:
    """What calls answers."""

    calls: list[CallNode]
    more: bool
    complete: bool  # those that had not returned before `from` are known; else call again


@dataclass(frozen=True, slots=True)
class CyclesResult:
    """What cycles answers."""

    cycles: int
    rows: list[Row]  # what for, cycles and share, the dearest first


@dataclass(frozen=True, slots=True)
class ExportResult:
    """What export answers."""

    name: str  # a file name
    base64: str  # the file, at most 8 MiB
    text: str  # what is in it


@dataclass(frozen=True, slots=True)
class BookmarkAddResult:
    """What bookmark.add answers."""

    bookmark: Bookmark
    saved: bool  # in the recording


@dataclass(frozen=True, slots=True)
class BookmarkChangeResult:
    """What bookmark.change answers."""

    bookmark: Bookmark
    saved: bool  # in the recording


@dataclass(frozen=True, slots=True)
class BookmarkRemoveResult:
    """What bookmark.remove answers."""

    saved: bool  # in the recording


@dataclass(frozen=True, slots=True)
class BookmarkListResult:
    """What bookmark.list answers."""

    bookmarks: list[Bookmark]


@dataclass(frozen=True, slots=True)
class CompareResult:
    """What compare answers."""

    same: bool
    text: str
    number: int | None = None  # of that event, in both
    at: int | None = None  # of it in this run, or this run's end
    other_at: int | None = None
    event: Event | None = None  # absent: this run has ended
    other_event: Event | None = None
    hash_at: int | None = None  # the last instant at which both recordings hold the same state hash


@dataclass(frozen=True, slots=True)
class FindingsResult:
    """What findings answers."""

    findings: list[Finding]
    folder: str | None = None  # absent: none was given


@dataclass(frozen=True, slots=True)
class ModulesResult:
    """What modules answers."""

    modules: list[Module]


@dataclass(frozen=True, slots=True)
class SymbolsFindResult:
    """What symbols.find answers."""

    symbols: list[Symbol]
    more: bool


@dataclass(frozen=True, slots=True)
class SymbolsAtResult:
    """What symbols.at answers."""

    place: Place


@dataclass(frozen=True, slots=True)
class SourceResult:
    """What source answers."""

    lines: list[str]
    path: str | None = None  # where it was found


@dataclass(frozen=True, slots=True)
class SourcePlacesResult:
    """What source.places answers."""

    places: list[Place]  # ascending
    line: int | None = None  # the one that has code; absent: there is none


@dataclass(frozen=True, slots=True)
class TypesFindResult:
    """What types.find answers."""

    names: list[str]
    more: bool


@dataclass(frozen=True, slots=True)
class TypeResult:
    """What type answers."""

    name: str
    kind: Literal["struct", "union", "enum", "class"]
    size: int
    fields: list[TypeField]


@dataclass(frozen=True, slots=True)
class ProcessesResult:
    """What processes answers."""

    processes: list[Process]


@dataclass(frozen=True, slots=True)
class TrustletsResult:
    """What trustlets answers."""

    trustlets: list[Trustlet]


@dataclass(frozen=True, slots=True)
class KernelTableResult:
    """What kernel.table answers."""

    columns: list[str]
    rows: list[Row]
    complaint: str | None = None  # why it is not complete


@dataclass(frozen=True, slots=True)
class BranchBeginResult:
    """What branch.begin answers."""

    branch: str


@dataclass(frozen=True, slots=True)
class BranchEndResult:
    """What branch.end answers."""

    stop: Stop


@dataclass(frozen=True, slots=True)
class MemoryWriteResult:
    """What memory.write answers."""

    branch: str


@dataclass(frozen=True, slots=True)
class RegistersWriteResult:
    """What registers.write answers."""

    branch: str


@dataclass(frozen=True, slots=True)
class DumpResult:
    """What dump answers."""

    path: str
    bytes: int
    text: str  # what is in it


@dataclass(frozen=True, slots=True)
class ConsoleResult:
    """What console answers."""

    output: str
    ended: bool  # the command was quit
    stop: Stop | None = None  # if it moved


@dataclass(frozen=True, slots=True)
class ConsoleCompleteResult:
    """What console.complete answers."""

    from_: int  # byte of the line where the words begin
    words: list[str]


RECORDS: dict[str, type[Any]] = {
    "Focus": Focus,
    "Place": Place,
    "Argument": Argument,
    "Event": Event,
    "Change": Change,
    "Stop": Stop,
    "Register": Register,
    "MemoryPart": MemoryPart,
    "Line": Line,
    "Frame": Frame,
    "Rights": Rights,
    "WalkReference": WalkReference,
    "TlbEntry": TlbEntry,
    "Breakpoint": Breakpoint,
    "Module": Module,
    "Symbol": Symbol,
    "TypeField": TypeField,
    "Process": Process,
    "Trustlet": Trustlet,
    "Row": Row,
    "CallNode": CallNode,
    "Bucket": Bucket,
    "Bookmark": Bookmark,
    "Variable": Variable,
    "StackWord": StackWord,
    "TrailStep": TrailStep,
    "PageChange": PageChange,
    "Finding": Finding,
}

# Of each class: JSON name -> (attribute, type of the table).
LAYOUTS: dict[type[Any], dict[str, tuple[str, str]]] = {
    Focus: {
        "at": ("at", "integer"),
        "vp": ("vp", "integer"),
        "vtl": ("vtl", "integer"),
        "frame": ("frame", "integer?"),
        "address": ("address", "hex?"),
    },
    Place: {
        "address": ("address", "hex"),
        "module": ("module", "text?"),
        "symbol": ("symbol", "text?"),
        "displacement": ("displacement", "integer?"),
        "file": ("file", "text?"),
        "line": ("line", "integer?"),
        "text": ("text", "text"),
    },
    Argument: {
        "name": ("name", "text"),
        "value": ("value", "text"),
    },
    Event: {
        "at": ("at", "integer"),
        "number": ("number", "integer?"),
        "vp": ("vp", "integer"),
        "vtl": ("vtl", "integer"),
        "kind": ("kind", "text"),
        "name": ("name", "text"),
        "arguments": ("arguments", "Argument[]"),
        "outcome": ("outcome", "text"),
        "a": ("a", "hex"),
        "b": ("b", "hex"),
        "c": ("c", "hex"),
        "place": ("place", "Place"),
        "text": ("text", "text"),
    },
    Change: {
        "before": ("before", "bytes"),
        "after": ("after", "bytes"),
        "text": ("text", "text"),
    },
    Stop: {
        "reason": ("reason", "step|breakpoint|watchpoint|event|place|beginning|end|interrupted"),
        "focus": ("focus", "Focus"),
        "place": ("place", "Place"),
        "instruction": ("instruction", "integer"),
        "ring": ("ring", "integer"),
        "waits": ("waits", "boolean"),
        "breakpoints": ("breakpoints", "integer[]"),
        "change": ("change", "Change?"),
        "event": ("event", "Event?"),
        "ending": ("ending", "text?"),
        "text": ("text", "text"),
    },
    Register: {
        "name": ("name", "text"),
        "value": ("value", "hex"),
        "bits": ("bits", "integer"),
        "group": ("group", "general|segment|control|debug|msr|x87|sse|synthetic"),
        "shared": ("shared", "boolean"),
        "previous": ("previous", "hex?"),
    },
    MemoryPart: {
        "offset": ("offset", "integer"),
        "length": ("length", "integer"),
        "state": ("state", "readable|denied|unmapped|device"),
        "bytes": ("bytes", "bytes?"),
        "why": ("why", "text?"),
    },
    Line: {
        "place": ("place", "Place"),
        "bytes": ("bytes", "bytes"),
        "text": ("text", "text"),
        "target": ("target", "Place?"),
        "current": ("current", "boolean"),
        "breakpoints": ("breakpoints", "integer[]"),
        "source": ("source", "text?"),
    },
    Frame: {
        "index": ("index", "integer"),
        "vtl": ("vtl", "integer"),
        "ring": ("ring", "integer"),
        "pc": ("pc", "Place"),
        "sp": ("sp", "hex"),
        "entered": ("entered", "call|interrupt|system_call|vtl_call|vtl_return|start"),
        "trusted": ("trusted", "boolean"),
    },
    Rights: {
        "mapped": ("mapped", "boolean"),
        "read": ("read", "boolean"),
        "write": ("write", "boolean"),
        "kernel_execute": ("kernel_execute", "boolean"),
        "user_execute": ("user_execute", "boolean"),
        "spa": ("spa", "hex?"),
    },
    WalkReference: {
        "stage": ("stage", "integer"),
        "level": ("level", "integer"),
        "name": ("name", "text"),
        "index": ("index", "integer"),
        "spa": ("spa", "hex"),
        "gpa": ("gpa", "hex"),
        "value": ("value", "hex"),
        "flags": ("flags", "text"),
        "leaf": ("leaf", "boolean"),
        "present": ("present", "boolean"),
        "denied": ("denied", "boolean"),
        "rights": ("rights", "Rights[]"),
    },
    TlbEntry: {
        "gva": ("gva", "hex"),
        "gpa": ("gpa", "hex"),
        "spa": ("spa", "hex"),
        "partition": ("partition", "integer"),
        "vp": ("vp", "integer"),
        "vtl": ("vtl", "integer"),
        "pcid": ("pcid", "integer"),
        "rights": ("rights", "text"),
    },
    Breakpoint: {
        "id": ("id", "integer"),
        "kind": ("kind", "code|event|write|register|access|vtl"),
        "what": ("what", "text"),
        "text": ("text", "text"),
        "vtl": ("vtl", "integer?"),
        "process": ("process", "text?"),
        "condition": ("condition", "text?"),
        "ignore": ("ignore", "integer"),
        "hits": ("hits", "integer"),
        "enabled": ("enabled", "boolean"),
        "temporary": ("temporary", "boolean"),
        "resolved": ("resolved", "boolean"),
    },
    Module: {
        "name": ("name", "text"),
        "file": ("file", "text"),
        "base": ("base", "hex"),
        "size": ("size", "hex"),
        "vtl": ("vtl", "integer"),
        "process": ("process", "text?"),
        "symbols": ("symbols", "pdb|exports|none"),
    },
    Symbol: {
        "place": ("place", "Place"),
    },
    TypeField: {
        "name": ("name", "text"),
        "type": ("type", "text"),
        "offset": ("offset", "integer"),
        "size": ("size", "integer"),
        "bit": ("bit", "integer?"),
        "bits": ("bits", "integer?"),
        "count": ("count", "integer?"),
        "value": ("value", "text?"),
        "place": ("place", "Place?"),
    },
    Process: {
        "name": ("name", "text"),
        "vtl": ("vtl", "integer"),
        "pid": ("pid", "integer"),
        "cr3": ("cr3", "hex"),
        "secure_handle": ("secure_handle", "hex?"),
        "object": ("object", "hex?"),
        "current": ("current", "boolean"),
    },
    Trustlet: {
        "name": ("name", "text"),
        "trustlet_id": ("trustlet_id", "hex"),
        "pid": ("pid", "integer"),
        "cr3": ("cr3", "hex"),
        "object": ("object", "hex"),
        "handle": ("handle", "hex"),
        "fields": ("fields", "TypeField[]"),
    },
    Row: {
        "cells": ("cells", "text[]"),
        "address": ("address", "hex?"),
    },
    CallNode: {
        "at": ("at", "integer"),
        "end": ("end", "integer?"),
        "vp": ("vp", "integer"),
        "depth": ("depth", "integer"),
        "from_vtl": ("from_vtl", "integer"),
        "to_vtl": ("to_vtl", "integer"),
        "inclusive": ("inclusive", "integer?"),
        "exclusive": ("exclusive", "integer?"),
        "kind": ("kind", "vtl_call|vtl_return|hypercall|interrupt"),
        "name": ("name", "text"),
        "text": ("text", "text"),
    },
    Bucket: {
        "from": ("from_", "integer"),
        "to": ("to", "integer"),
        "row": ("row", "integer"),
        "vtl0": ("vtl0", "integer"),
        "vtl1": ("vtl1", "integer"),
        "lanes": ("lanes", "integer[]"),
        "counts": ("counts", "integer[]"),
    },
    Bookmark: {
        "id": ("id", "integer"),
        "at": ("at", "integer"),
        "text": ("text", "text"),
    },
    Variable: {
        "name": ("name", "text"),
        "type": ("type", "text"),
        "value": ("value", "text"),
        "where": ("where", "text"),
        "address": ("address", "hex?"),
        "parameter": ("parameter", "boolean"),
        "place": ("place", "Place?"),
    },
    StackWord: {
        "address": ("address", "hex"),
        "value": ("value", "hex?"),
        "returns": ("returns", "boolean"),
        "chain": ("chain", "text[]"),
    },
    TrailStep: {
        "at": ("at", "integer"),
        "vp": ("vp", "integer"),
        "vtl": ("vtl", "integer"),
        "address": ("address", "hex"),
    },
    PageChange: {
        "at": ("at", "integer"),
        "vp": ("vp", "integer"),
        "by_vtl": ("by_vtl", "integer"),
        "vtl": ("vtl", "integer"),
        "before": ("before", "text"),
        "after": ("after", "text"),
        "place": ("place", "Place"),
    },
    Finding: {
        "id": ("id", "text"),
        "oracle": ("oracle", "text"),
        "call": ("call", "text"),
        "text": ("text", "text"),
        "at": ("at", "integer?"),
        "recording": ("recording", "text?"),
        "opened": ("opened", "boolean"),
    },
    HelloResult: {
        "program": ("program", "text"),
        "version": ("version", "text"),
        "protocol": ("protocol", "integer"),
        "recording": ("recording", "text?"),
        "live": ("live", "boolean"),
        "other": ("other", "text?"),
        "finding": ("finding", "text?"),
        "processors": ("processors", "integer"),
        "memory": ("memory", "hex"),
        "configuration": ("configuration", "text"),
        "methods": ("methods", "text[]"),
    },
    StatusResult: {
        "focus": ("focus", "Focus"),
        "end": ("end", "integer"),
        "ending": ("ending", "text?"),
        "instructions": ("instructions", "integer"),
        "branch": ("branch", "text?"),
        "beginning": ("beginning", "integer"),
        "events": ("events", "integer"),
        "verified": ("verified", "text?"),
        "complaints": ("complaints", "text[]"),
        "fingerprint": ("fingerprint", "text"),
    },
    ReloadResult: {
        "modules": ("modules", "Module[]"),
        "complaints": ("complaints", "text[]"),
    },
    OpenResult: {
        "stop": ("stop", "Stop"),
    },
    FocusResult: {
        "stop": ("stop", "Stop"),
    },
    StepResult: {
        "stop": ("stop", "Stop"),
    },
    RunResult: {
        "stop": ("stop", "Stop"),
    },
    BreakpointSetResult: {
        "breakpoint": ("breakpoint", "Breakpoint"),
    },
    BreakpointListResult: {
        "breakpoints": ("breakpoints", "Breakpoint[]"),
    },
    BreakpointChangeResult: {
        "breakpoint": ("breakpoint", "Breakpoint"),
    },
    BreakpointEventsResult: {
        "kinds": ("kinds", "TypeField[]"),
    },
    RegistersResult: {
        "registers": ("registers", "Register[]"),
        "active": ("active", "boolean"),
        "enabled": ("enabled", "boolean"),
    },
    MemoryReadResult: {
        "parts": ("parts", "MemoryPart[]"),
    },
    MemorySearchResult: {
        "found": ("found", "hex[]"),
        "skipped": ("skipped", "hex"),
    },
    DisassembleResult: {
        "lines": ("lines", "Line[]"),
    },
    StackResult: {
        "frames": ("frames", "Frame[]"),
        "why": ("why", "text"),
    },
    VariablesResult: {
        "variables": ("variables", "Variable[]"),
        "complaint": ("complaint", "text?"),
    },
    TelescopeResult: {
        "words": ("words", "StackWord[]"),
    },
    TrailResult: {
        "past": ("past", "TrailStep[]"),
        "future": ("future", "TrailStep[]"),
    },
    AboutResult: {
        "place": ("place", "Place?"),
        "state": ("state", "readable|denied|unmapped|device"),
        "value": ("value", "bytes?"),
        "gpa": ("gpa", "hex?"),
        "spa": ("spa", "hex?"),
        "rights": ("rights", "Rights[]"),
        "owner": ("owner", "text?"),
        "lines": ("lines", "text[]"),
    },
    WalkResult: {
        "references": ("references", "WalkReference[]"),
        "granted": ("granted", "boolean"),
        "rule": ("rule", "text"),
        "gpa": ("gpa", "hex?"),
        "spa": ("spa", "hex?"),
        "cached": ("cached", "TlbEntry?"),
        "rights": ("rights", "Rights[]"),
        "cycles": ("cycles", "integer"),
        "text": ("text", "text"),
    },
    SlatPageResult: {
        "rights": ("rights", "Rights[]"),
    },
    SlatMapResult: {
        "pages": ("pages", "bytes"),
    },
    SlatHistoryResult: {
        "changes": ("changes", "PageChange[]"),
        "more": ("more", "boolean"),
    },
    TlbResult: {
        "entries": ("entries", "TlbEntry[]"),
        "used": ("used", "integer"),
        "capacity": ("capacity", "integer"),
        "misses": ("misses", "integer"),
    },
    EvaluateResult: {
        "type": ("type", "text"),
        "value": ("value", "text"),
        "number": ("number", "hex?"),
        "place": ("place", "Place?"),
    },
    WhoWroteResult: {
        "found": ("found", "boolean"),
        "at": ("at", "Focus?"),
        "place": ("place", "Place?"),
        "change": ("change", "Change?"),
        "between": ("between", "boolean?"),
        "event": ("event", "Event?"),
        "text": ("text", "text"),
    },
    EventsListResult: {
        "events": ("events", "Event[]"),
        "more": ("more", "boolean"),
    },
    EventsSliceResult: {
        "events": ("events", "Event[]"),
        "total": ("total", "integer"),
        "complete": ("complete", "boolean"),
        "looked_at": ("looked_at", "integer"),
    },
    EventsLocateResult: {
        "row": ("row", "integer"),
        "complete": ("complete", "boolean"),
    },
    EventsCountResult: {
        "count": ("count", "integer"),
    },
    EventsSummaryResult: {
        "kinds": ("kinds", "text[]"),
        "buckets": ("buckets", "Bucket[]"),
        "complete": ("complete", "boolean"),
    },
    CallsResult: {
        "calls": ("calls", "CallNode[]"),
        "more": ("more", "boolean"),
        "complete": ("complete", "boolean"),
    },
    CyclesResult: {
        "cycles": ("cycles", "integer"),
        "rows": ("rows", "Row[]"),
    },
    ExportResult: {
        "name": ("name", "text"),
        "base64": ("base64", "text"),
        "text": ("text", "text"),
    },
    BookmarkAddResult: {
        "bookmark": ("bookmark", "Bookmark"),
        "saved": ("saved", "boolean"),
    },
    BookmarkChangeResult: {
        "bookmark": ("bookmark", "Bookmark"),
        "saved": ("saved", "boolean"),
    },
    BookmarkRemoveResult: {
        "saved": ("saved", "boolean"),
    },
    BookmarkListResult: {
        "bookmarks": ("bookmarks", "Bookmark[]"),
    },
    CompareResult: {
        "same": ("same", "boolean"),
        "number": ("number", "integer?"),
        "at": ("at", "integer?"),
        "other_at": ("other_at", "integer?"),
        "event": ("event", "Event?"),
        "other_event": ("other_event", "Event?"),
        "hash_at": ("hash_at", "integer?"),
        "text": ("text", "text"),
    },
    FindingsResult: {
        "findings": ("findings", "Finding[]"),
        "folder": ("folder", "text?"),
    },
    ModulesResult: {
        "modules": ("modules", "Module[]"),
    },
    SymbolsFindResult: {
        "symbols": ("symbols", "Symbol[]"),
        "more": ("more", "boolean"),
    },
    SymbolsAtResult: {
        "place": ("place", "Place"),
    },
    SourceResult: {
        "lines": ("lines", "text[]"),
        "path": ("path", "text?"),
    },
    SourcePlacesResult: {
        "line": ("line", "integer?"),
        "places": ("places", "Place[]"),
    },
    TypesFindResult: {
        "names": ("names", "text[]"),
        "more": ("more", "boolean"),
    },
    TypeResult: {
        "name": ("name", "text"),
        "kind": ("kind", "struct|union|enum|class"),
        "size": ("size", "integer"),
        "fields": ("fields", "TypeField[]"),
    },
    ProcessesResult: {
        "processes": ("processes", "Process[]"),
    },
    TrustletsResult: {
        "trustlets": ("trustlets", "Trustlet[]"),
    },
    KernelTableResult: {
        "columns": ("columns", "text[]"),
        "rows": ("rows", "Row[]"),
        "complaint": ("complaint", "text?"),
    },
    BranchBeginResult: {
        "branch": ("branch", "text"),
    },
    BranchEndResult: {
        "stop": ("stop", "Stop"),
    },
    MemoryWriteResult: {
        "branch": ("branch", "text"),
    },
    RegistersWriteResult: {
        "branch": ("branch", "text"),
    },
    DumpResult: {
        "path": ("path", "text"),
        "bytes": ("bytes", "integer"),
        "text": ("text", "text"),
    },
    ConsoleResult: {
        "output": ("output", "text"),
        "stop": ("stop", "Stop?"),
        "ended": ("ended", "boolean"),
    },
    ConsoleCompleteResult: {
        "from": ("from_", "integer"),
        "words": ("words", "text[]"),
    },
}


def decode(type_name: str, value: Any) -> Any:
    """A JSON value of a type of the table."""
    type_name = type_name.removesuffix("?")
    if type_name.endswith("[]"):
        return [decode(type_name.removesuffix("[]"), element) for element in value]
    if type_name == "hex":
        return int(value, 16)
    if type_name == "bytes":
        return bytes.fromhex(value)
    record = RECORDS.get(type_name)
    return value if record is None else decode_record(record, value)


def decode_record(record: type[Any], value: dict[str, Any]) -> Any:
    """Members that this version of the client does not know are passed over."""
    members = LAYOUTS[record]
    known = {members[name][0]: decode(members[name][1], member) for name, member in value.items() if name in members}
    return record(**known)


def encode(type_name: str, value: Any) -> Any:
    """The other way."""
    type_name = type_name.removesuffix("?")
    if type_name.endswith("[]"):
        return [encode(type_name.removesuffix("[]"), element) for element in value]
    if type_name == "hex":
        return hex(value)
    if type_name == "bytes":
        return bytes(value).hex()
    record = RECORDS.get(type_name)
    if record is None:
        return value
    members = ((name, member[1], getattr(value, member[0])) for name, member in LAYOUTS[record].items())
    return {name: encode(member_type, member) for name, member_type, member in members if member is not None}


class Interface(ABC):
    """All methods. Who implements call() decides how they get there."""

    @abstractmethod
    def call(self, method: str, parameters: dict[str, Any]) -> dict[str, Any]:
        """Calls a method by name, with JSON values. Raises AirlockError if it is refused."""

    def _call(self, method: str, parameters: list[tuple[str, str, Any]]) -> dict[str, Any]:
        given = {name: encode(type_name, value) for name, type_name, value in parameters if value is not None}
        return self.call(method, given)

    def hello(self, *, client: str | None = None) -> HelloResult:
        """What is debugged, and what this program can do. The first call of a client.

        client: a name, for messages
        """
        return cast(HelloResult, decode_record(HelloResult, self._call("hello", [
            ("client", "text?", client),
        ])))

    def status(self) -> StatusResult:
        """Where the session stands."""
        return cast(StatusResult, decode_record(StatusResult, self._call("status", [])))

    def reload(self, *, folder: str | None = None) -> ReloadResult:
        """Reads images and symbols again.

        folder: look there too
        """
        return cast(ReloadResult, decode_record(ReloadResult, self._call("reload", [
            ("folder", "text?", folder),
        ])))

    def open(self, finding: str) -> OpenResult:
        """Debugs the recording of a finding from now on, and stands a little before its violation. All clients are told: `opened`.

        finding: id
        """
        return cast(OpenResult, decode_record(OpenResult, self._call("open", [
            ("finding", "text", finding),
        ])))

    def focus(
        self,
        *,
        at: int | None = None,
        vp: int | None = None,
        vtl: int | None = None,
        frame: int | None = None,
        address: int | None = None,
    ) -> FocusResult:
        """Moves the session's focus to an instant, or to another processor, VTL or frame of this one."""
        return cast(FocusResult, decode_record(FocusResult, self._call("focus", [
            ("at", "integer?", at),
            ("vp", "integer?", vp),
            ("vtl", "integer?", vtl),
            ("frame", "integer?", frame),
            ("address", "hex?", address),
        ])))

    def step(
        self,
        kind: Literal["into", "over", "out"],
        *,
        back: bool | None = None,
        count: int | None = None,
        by: Literal["instruction", "line"] | None = None,
    ) -> StepResult:
        """One instruction, call or frame, in either direction.

        kind: over: calls of all kinds, into the other VTL too
        count: 1 if absent
        by: instruction if absent
        """
        return cast(StepResult, decode_record(StepResult, self._call("step", [
            ("kind", "into|over|out", kind),
            ("back", "boolean?", back),
            ("count", "integer?", count),
            ("by", "instruction|line?", by),
        ])))

    def run(
        self,
        *,
        back: bool | None = None,
        to: str | None = None,
        until: str | None = None,
        breakpoints: bool | None = None,
    ) -> RunResult:
        """On, or back, to the next breakpoint; or to a place or query as if it were one.

        to: a place, as breakpoint.set has it: to the cursor
        until: an expression over events: on to the first event for which it is true
        breakpoints: false: pass over them
        """
        return cast(RunResult, decode_record(RunResult, self._call("run", [
            ("back", "boolean?", back),
            ("to", "text?", to),
            ("until", "text?", until),
            ("breakpoints", "boolean?", breakpoints),
        ])))

    def interrupt(self) -> None:
        """Ends a motion that is under way, of whichever client. Answered at once."""
        self._call("interrupt", [])

    def breakpoint_set(
        self,
        kind: Literal["code", "event", "write", "register", "access", "vtl"],
        what: str,
        *,
        vtl: int | None = None,
        vp: int | None = None,
        process: str | None = None,
        condition: str | None = None,
        ignore: int | None = None,
        temporary: bool | None = None,
    ) -> BreakpointSetResult:
        """A breakpoint or watchpoint.

        what: code: an address expression. event: a kind or name (vtl-call, hypercall, secure-service,
            normal-call, ium-call, intercept, slat-violation, msr, control-register, interrupt, exception,
            protection, tlb-flush, image-load, trustlet-start), with =NAME or =NUMBER for those that have
            names. write: [gva:|gpa:|spa:]ADDRESS[+BYTES], BYTES hexadecimal: 1 to 10000, 8 if absent.
            access: the same, reads too. register: a name. vtl: a number
        """
        return cast(BreakpointSetResult, decode_record(BreakpointSetResult, self._call("breakpoint.set", [
            ("kind", "code|event|write|register|access|vtl", kind),
            ("what", "text", what),
            ("vtl", "integer?", vtl),
            ("vp", "integer?", vp),
            ("process", "text?", process),
            ("condition", "text?", condition),
            ("ignore", "integer?", ignore),
            ("temporary", "boolean?", temporary),
        ])))

    def breakpoint_list(self) -> BreakpointListResult:
        """breakpoint.list."""
        return cast(BreakpointListResult, decode_record(BreakpointListResult, self._call("breakpoint.list", [])))

    def breakpoint_change(
        self,
        id: int,
        *,
        enabled: bool | None = None,
        condition: str | None = None,
        ignore: int | None = None,
    ) -> BreakpointChangeResult:
        """breakpoint.change.

        condition: empty: none
        """
        return cast(BreakpointChangeResult, decode_record(BreakpointChangeResult, self._call("breakpoint.change", [
            ("id", "integer", id),
            ("enabled", "boolean?", enabled),
            ("condition", "text?", condition),
            ("ignore", "integer?", ignore),
        ])))

    def breakpoint_remove(self, id: int) -> None:
        """breakpoint.remove."""
        self._call("breakpoint.remove", [
            ("id", "integer", id),
        ])

    def breakpoint_events(self) -> BreakpointEventsResult:
        """The kinds of events that a breakpoint can name."""
        return cast(BreakpointEventsResult, decode_record(BreakpointEventsResult, self._call("breakpoint.events", [])))

    def registers(self, *, focus: Focus | None = None, groups: list[str] | None = None) -> RegistersResult:
        """registers.

        groups: only these
        """
        return cast(RegistersResult, decode_record(RegistersResult, self._call("registers", [
            ("focus", "Focus?", focus),
            ("groups", "text[]?", groups),
        ])))

    def memory_read(
        self,
        space: Literal["gva", "gpa", "spa"],
        address: int,
        length: int,
        *,
        focus: Focus | None = None,
        process: str | None = None,
        privileged: bool | None = None,
    ) -> MemoryReadResult:
        """Memory as the focus' VTL sees it, through its tables, or by physical address.

        length: 1 to 1048576
        process: with the tables of this process
        privileged: gpa: as the hypervisor, not as the VTL
        """
        return cast(MemoryReadResult, decode_record(MemoryReadResult, self._call("memory.read", [
            ("focus", "Focus?", focus),
            ("space", "gva|gpa|spa", space),
            ("address", "hex", address),
            ("length", "integer", length),
            ("process", "text?", process),
            ("privileged", "boolean?", privileged),
        ])))

    def memory_search(
        self,
        space: Literal["gva", "gpa", "spa"],
        address: int,
        length: int,
        pattern: bytes,
        *,
        focus: Focus | None = None,
        maximum: int | None = None,
        process: str | None = None,
    ) -> MemorySearchResult:
        """The first places of a pattern.

        pattern: 1 to 256
        maximum: 64 if absent
        """
        return cast(MemorySearchResult, decode_record(MemorySearchResult, self._call("memory.search", [
            ("focus", "Focus?", focus),
            ("space", "gva|gpa|spa", space),
            ("address", "hex", address),
            ("length", "hex", length),
            ("pattern", "bytes", pattern),
            ("maximum", "integer?", maximum),
            ("process", "text?", process),
        ])))

    def disassemble(
        self,
        count: int,
        *,
        focus: Focus | None = None,
        address: int | None = None,
        before: int | None = None,
        process: str | None = None,
    ) -> DisassembleResult:
        """disassemble.

        address: the focus' own if absent
        count: 1 to 4096
        before: so many instructions before it, as well as they can be known
        """
        return cast(DisassembleResult, decode_record(DisassembleResult, self._call("disassemble", [
            ("focus", "Focus?", focus),
            ("address", "hex?", address),
            ("count", "integer", count),
            ("before", "integer?", before),
            ("process", "text?", process),
        ])))

    def stack(self, *, focus: Focus | None = None, maximum: int | None = None) -> StackResult:
        """Frames from the innermost out, across rings and VTLs.

        maximum: 64 if absent
        """
        return cast(StackResult, decode_record(StackResult, self._call("stack", [
            ("focus", "Focus?", focus),
            ("maximum", "integer?", maximum),
        ])))

    def variables(self, *, focus: Focus | None = None) -> VariablesResult:
        """Parameters and locals of the focus' frame."""
        return cast(VariablesResult, decode_record(VariablesResult, self._call("variables", [
            ("focus", "Focus?", focus),
        ])))

    def telescope(
        self,
        *,
        focus: Focus | None = None,
        address: int | None = None,
        count: int | None = None,
    ) -> TelescopeResult:
        """Words of the stack, and what they lead to.

        address: RSP of the focus' frame if absent
        count: 1 to 256; 32 if absent
        """
        return cast(TelescopeResult, decode_record(TelescopeResult, self._call("telescope", [
            ("focus", "Focus?", focus),
            ("address", "hex?", address),
            ("count", "integer?", count),
        ])))

    def trail(self, before: int, after: int, *, focus: Focus | None = None) -> TrailResult:
        """Instructions that the focus' processor executed last, and those that it executes next.

        before: 0 to 256
        after: 0 to 256: fewer where the future is not known
        """
        return cast(TrailResult, decode_record(TrailResult, self._call("trail", [
            ("focus", "Focus?", focus),
            ("before", "integer", before),
            ("after", "integer", after),
        ])))

    def about(
        self,
        number: int,
        *,
        focus: Focus | None = None,
        space: Literal["gva", "gpa", "spa"] | None = None,
        process: str | None = None,
    ) -> AboutResult:
        """What a number could be, for whoever points at it.

        space: gva if absent
        """
        return cast(AboutResult, decode_record(AboutResult, self._call("about", [
            ("focus", "Focus?", focus),
            ("number", "hex", number),
            ("space", "gva|gpa|spa?", space),
            ("process", "text?", process),
        ])))

    def walk(
        self,
        address: int,
        access: Literal["read", "write", "execute"],
        *,
        focus: Focus | None = None,
        user: bool | None = None,
        process: str | None = None,
    ) -> WalkResult:
        """A translation, reference by reference, and the rule that decided.

        user: ring 3; else as the processor is
        """
        return cast(WalkResult, decode_record(WalkResult, self._call("walk", [
            ("focus", "Focus?", focus),
            ("address", "hex", address),
            ("access", "read|write|execute", access),
            ("user", "boolean?", user),
            ("process", "text?", process),
        ])))

    def slat_page(self, gpa: int, *, focus: Focus | None = None) -> SlatPageResult:
        """What each VTL may do with a page."""
        return cast(SlatPageResult, decode_record(SlatPageResult, self._call("slat.page", [
            ("focus", "Focus?", focus),
            ("gpa", "hex", gpa),
        ])))

    def slat_map(self, gpa: int, pages: int, *, focus: Focus | None = None, vtl: int | None = None) -> SlatMapResult:
        """Permissions of many pages.

        pages: 1 to 1048576
        vtl: the focus' own if absent
        """
        return cast(SlatMapResult, decode_record(SlatMapResult, self._call("slat.map", [
            ("focus", "Focus?", focus),
            ("gpa", "hex", gpa),
            ("pages", "integer", pages),
            ("vtl", "integer?", vtl),
        ])))

    def slat_history(self, gpa: int, *, focus: Focus | None = None, maximum: int | None = None) -> SlatHistoryResult:
        """The changes of rights to a page, the latest first.

        focus: what is after it is left out
        maximum: 32 if absent
        """
        return cast(SlatHistoryResult, decode_record(SlatHistoryResult, self._call("slat.history", [
            ("focus", "Focus?", focus),
            ("gpa", "hex", gpa),
            ("maximum", "integer?", maximum),
        ])))

    def tlb(self, *, focus: Focus | None = None, maximum: int | None = None) -> TlbResult:
        """tlb.

        maximum: 1024 if absent
        """
        return cast(TlbResult, decode_record(TlbResult, self._call("tlb", [
            ("focus", "Focus?", focus),
            ("maximum", "integer?", maximum),
        ])))

    def evaluate(self, expression: str, *, focus: Focus | None = None) -> EvaluateResult:
        """An expression: numbers, registers, symbols, memory, members of structures.

        expression: docs/debugger.md has the language
        """
        return cast(EvaluateResult, decode_record(EvaluateResult, self._call("evaluate", [
            ("focus", "Focus?", focus),
            ("expression", "text", expression),
        ])))

    def who_wrote(
        self,
        what: Literal["memory", "register", "pte", "slat"],
        *,
        focus: Focus | None = None,
        space: Literal["gva", "gpa", "spa"] | None = None,
        address: int | None = None,
        length: int | None = None,
        register: str | None = None,
        level: int | None = None,
        process: str | None = None,
    ) -> WhoWroteResult:
        """Who wrote it last before the focus.

        space: of memory; gva if absent
        length: of memory; 8 if absent
        level: of pte; 1 if absent
        """
        return cast(WhoWroteResult, decode_record(WhoWroteResult, self._call("who_wrote", [
            ("focus", "Focus?", focus),
            ("what", "memory|register|pte|slat", what),
            ("space", "gva|gpa|spa?", space),
            ("address", "hex?", address),
            ("length", "integer?", length),
            ("register", "text?", register),
            ("level", "integer?", level),
            ("process", "text?", process),
        ])))

    def events_list(
        self,
        *,
        from_: int | None = None,
        back: bool | None = None,
        maximum: int | None = None,
        query: str | None = None,
        to: int | None = None,
    ) -> EventsListResult:
        """Events in the order of time, from an instant on or back.

        from_: the focus' instant if absent
        maximum: 100 if absent; at most 10000
        query: an expression over event and state
        to: no further
        """
        return cast(EventsListResult, decode_record(EventsListResult, self._call("events.list", [
            ("from", "integer?", from_),
            ("back", "boolean?", back),
            ("maximum", "integer?", maximum),
            ("query", "text?", query),
            ("to", "integer?", to),
        ])))

    def events_slice(self, first: int, count: int, *, query: str | None = None) -> EventsSliceResult:
        """Rows of the list of all events, or of those that a query takes. A query is looked for piece by piece: until `complete`, call again.

        first: row
        count: 0 to 1000
        query: an expression over event and state
        """
        return cast(EventsSliceResult, decode_record(EventsSliceResult, self._call("events.slice", [
            ("first", "integer", first),
            ("count", "integer", count),
            ("query", "text?", query),
        ])))

    def events_locate(self, at: int, *, query: str | None = None) -> EventsLocateResult:
        """The row of the first event at or after an instant."""
        return cast(EventsLocateResult, decode_record(EventsLocateResult, self._call("events.locate", [
            ("at", "integer", at),
            ("query", "text?", query),
        ])))

    def events_count(
        self,
        *,
        from_: int | None = None,
        to: int | None = None,
        query: str | None = None,
    ) -> EventsCountResult:
        """events.count."""
        return cast(EventsCountResult, decode_record(EventsCountResult, self._call("events.count", [
            ("from", "integer?", from_),
            ("to", "integer?", to),
            ("query", "text?", query),
        ])))

    def events_summary(
        self,
        from_: int,
        to: int,
        buckets: int,
        *,
        query: str | None = None,
        by: Literal["time", "events"] | None = None,
    ) -> EventsSummaryResult:
        """What a timeline draws. Events are counted piece by piece: until `complete`, call again.

        from_: instant, or row of the list of all events
        to: not any more
        buckets: 1 to 4096
        query: only these events are counted
        by: events: from and to are rows, and buckets have equally many; time if absent
        """
        return cast(EventsSummaryResult, decode_record(EventsSummaryResult, self._call("events.summary", [
            ("from", "integer", from_),
            ("to", "integer", to),
            ("buckets", "integer", buckets),
            ("query", "text?", query),
            ("by", "time|events?", by),
        ])))

    def calls(
        self,
        *,
        from_: int | None = None,
        to: int | None = None,
        maximum: int | None = None,
        hypercalls: bool | None = None,
        enclosing: bool | None = None,
    ) -> CallsResult:
        """The calls between the worlds as a tree, flattened.

        maximum: 1000 if absent
        enclosing: also those that began before `from` and had not returned
        """
        return cast(CallsResult, decode_record(CallsResult, self._call("calls", [
            ("from", "integer?", from_),
            ("to", "integer?", to),
            ("maximum", "integer?", maximum),
            ("hypercalls", "boolean?", hypercalls),
            ("enclosing", "boolean?", enclosing),
        ])))

    def cycles(self, from_: int, to: int) -> CyclesResult:
        """What a stretch of the run costs by the timing model: it is executed once more for it.

        to: ten million instants later or fewer
        """
        return cast(CyclesResult, decode_record(CyclesResult, self._call("cycles", [
            ("from", "integer", from_),
            ("to", "integer", to),
        ])))

    def export(
        self,
        kind: Literal["perfetto", "drcov", "tenet", "csv"],
        from_: int,
        to: int,
        *,
        vtl: int | None = None,
    ) -> ExportResult:
        """A stretch of the run as a file of another tool.

        vtl: drcov, tenet: whose; 0 if absent
        """
        return cast(ExportResult, decode_record(ExportResult, self._call("export", [
            ("kind", "perfetto|drcov|tenet|csv", kind),
            ("from", "integer", from_),
            ("to", "integer", to),
            ("vtl", "integer?", vtl),
        ])))

    def bookmark_add(self, text: str, *, at: int | None = None) -> BookmarkAddResult:
        """bookmark.add.

        at: the focus' instant if absent
        """
        return cast(BookmarkAddResult, decode_record(BookmarkAddResult, self._call("bookmark.add", [
            ("at", "integer?", at),
            ("text", "text", text),
        ])))

    def bookmark_change(self, id: int, text: str) -> BookmarkChangeResult:
        """bookmark.change."""
        return cast(BookmarkChangeResult, decode_record(BookmarkChangeResult, self._call("bookmark.change", [
            ("id", "integer", id),
            ("text", "text", text),
        ])))

    def bookmark_remove(self, id: int) -> BookmarkRemoveResult:
        """bookmark.remove."""
        return cast(BookmarkRemoveResult, decode_record(BookmarkRemoveResult, self._call("bookmark.remove", [
            ("id", "integer", id),
        ])))

    def bookmark_list(self) -> BookmarkListResult:
        """bookmark.list."""
        return cast(BookmarkListResult, decode_record(BookmarkListResult, self._call("bookmark.list", [])))

    def compare(self) -> CompareResult:
        """Where this run and the other one part: the first event that is not the same in both. Without it, from there on."""
        return cast(CompareResult, decode_record(CompareResult, self._call("compare", [])))

    def findings(self) -> FindingsResult:
        """What fuzzing found, in the folder that was given."""
        return cast(FindingsResult, decode_record(FindingsResult, self._call("findings", [])))

    def modules(self, *, focus: Focus | None = None) -> ModulesResult:
        """modules."""
        return cast(ModulesResult, decode_record(ModulesResult, self._call("modules", [
            ("focus", "Focus?", focus),
        ])))

    def symbols_find(
        self,
        pattern: str,
        *,
        focus: Focus | None = None,
        maximum: int | None = None,
    ) -> SymbolsFindResult:
        """Symbols by a pattern with * and ?, without case.

        pattern: module!name, or a name in any module
        maximum: 100 if absent
        """
        return cast(SymbolsFindResult, decode_record(SymbolsFindResult, self._call("symbols.find", [
            ("focus", "Focus?", focus),
            ("pattern", "text", pattern),
            ("maximum", "integer?", maximum),
        ])))

    def symbols_at(self, address: int, *, focus: Focus | None = None) -> SymbolsAtResult:
        """symbols.at."""
        return cast(SymbolsAtResult, decode_record(SymbolsAtResult, self._call("symbols.at", [
            ("focus", "Focus?", focus),
            ("address", "hex", address),
        ])))

    def source(self, file: str, *, from_: int | None = None, count: int | None = None) -> SourceResult:
        """Lines of a source file that a PDB names, if it is at hand.

        file: as Place has it
        from_: 1 if absent
        count: all if absent
        """
        return cast(SourceResult, decode_record(SourceResult, self._call("source", [
            ("file", "text", file),
            ("from", "integer?", from_),
            ("count", "integer?", count),
        ])))

    def source_places(self, file: str, line: int) -> SourcePlacesResult:
        """Where the code of a source line begins: of the first line at or after it that has code.

        file: the end of its path, without case, either slash
        """
        return cast(SourcePlacesResult, decode_record(SourcePlacesResult, self._call("source.places", [
            ("file", "text", file),
            ("line", "integer", line),
        ])))

    def types_find(self, pattern: str, *, maximum: int | None = None) -> TypesFindResult:
        """types.find.

        pattern: module!name with * and ?
        """
        return cast(TypesFindResult, decode_record(TypesFindResult, self._call("types.find", [
            ("pattern", "text", pattern),
            ("maximum", "integer?", maximum),
        ])))

    def type(
        self,
        name: str,
        *,
        focus: Focus | None = None,
        address: int | None = None,
        process: str | None = None,
    ) -> TypeResult:
        """A structure's members, and their values if an address is given.

        name: module!name or a name
        """
        return cast(TypeResult, decode_record(TypeResult, self._call("type", [
            ("focus", "Focus?", focus),
            ("name", "text", name),
            ("address", "hex?", address),
            ("process", "text?", process),
        ])))

    def processes(self, *, focus: Focus | None = None) -> ProcessesResult:
        """As both kernels know them."""
        return cast(ProcessesResult, decode_record(ProcessesResult, self._call("processes", [
            ("focus", "Focus?", focus),
        ])))

    def trustlets(self, *, focus: Focus | None = None) -> TrustletsResult:
        """What the secure kernel keeps of each."""
        return cast(TrustletsResult, decode_record(TrustletsResult, self._call("trustlets", [
            ("focus", "Focus?", focus),
        ])))

    def kernel_table(
        self,
        what: Literal["threads", "secure_threads", "handles", "mailboxes", "blobs", "images", "pools", "ranges"],
        *,
        focus: Focus | None = None,
    ) -> KernelTableResult:
        """What the secure kernel keeps: read from its memory by the types of its PDB."""
        return cast(KernelTableResult, decode_record(KernelTableResult, self._call("kernel.table", [
            ("focus", "Focus?", focus),
            ("what", "threads|secure_threads|handles|mailboxes|blobs|images|pools|ranges", what),
        ])))

    def branch_begin(self, *, name: str | None = None) -> BranchBeginResult:
        """From here on this is no longer the run that was recorded: memory and registers can be changed, and it runs on from them."""
        return cast(BranchBeginResult, decode_record(BranchBeginResult, self._call("branch.begin", [
            ("name", "text?", name),
        ])))

    def branch_end(self) -> BranchEndResult:
        """Back to the run, where the branch began."""
        return cast(BranchEndResult, decode_record(BranchEndResult, self._call("branch.end", [])))

    def memory_write(
        self,
        space: Literal["gva", "gpa", "spa"],
        address: int,
        bytes: bytes,
        *,
        process: str | None = None,
        vtl: int | None = None,
    ) -> MemoryWriteResult:
        """Refused outside a branch.

        bytes: 1 to 65536
        """
        return cast(MemoryWriteResult, decode_record(MemoryWriteResult, self._call("memory.write", [
            ("space", "gva|gpa|spa", space),
            ("address", "hex", address),
            ("bytes", "bytes", bytes),
            ("process", "text?", process),
            ("vtl", "integer?", vtl),
        ])))

    def registers_write(
        self,
        name: str,
        value: int,
        *,
        vtl: int | None = None,
        vp: int | None = None,
    ) -> RegistersWriteResult:
        """Refused outside a branch, and where the processor could not hold the value."""
        return cast(RegistersWriteResult, decode_record(RegistersWriteResult, self._call("registers.write", [
            ("name", "text", name),
            ("value", "hex", value),
            ("vtl", "integer?", vtl),
            ("vp", "integer?", vp),
        ])))

    def dump(
        self,
        kind: Literal["kernel", "secure_kernel", "core", "listing"],
        path: str,
        *,
        module: str | None = None,
        coverage: bool | None = None,
        everything: bool | None = None,
    ) -> DumpResult:
        """Writes the present as a file for other tools.

        kind: kernel: a Windows kernel dump of VTL 0's view; core: an ELF core; listing: disassembly with
            coverage
        module: of listing
        coverage: listing: which instructions ran up to the focus, and how often: the run is gone through
            once more for it; true if absent
        everything: kernel: also pages that VTL 0 may not read
        """
        return cast(DumpResult, decode_record(DumpResult, self._call("dump", [
            ("kind", "kernel|secure_kernel|core|listing", kind),
            ("path", "text", path),
            ("module", "text?", module),
            ("coverage", "boolean?", coverage),
            ("everything", "boolean?", everything),
        ])))

    def console(self, line: str, *, colours: bool | None = None) -> ConsoleResult:
        """A command of the console, as text; its output. What gdb's monitor and DAP's REPL use."""
        return cast(ConsoleResult, decode_record(ConsoleResult, self._call("console", [
            ("line", "text", line),
            ("colours", "boolean?", colours),
        ])))

    def console_complete(self, line: str) -> ConsoleCompleteResult:
        """console.complete."""
        return cast(ConsoleCompleteResult, decode_record(ConsoleCompleteResult, self._call("console.complete", [
            ("line", "text", line),
        ])))
