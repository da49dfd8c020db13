// A whole session over a recording of the default boot: node --test session_test.mjs
// AIRLOCK is the program, RECORDING a recording of the default machine.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { CheckedClient, violations } from './checked_client.mjs';

const airlock = process.env.AIRLOCK, recording = process.env.RECORDING;
const vtl0 = 1, vtl1 = 2;  // threads of processor 0
let client;

before(async () => {
  client = new CheckedClient(airlock, airlock, 'airlock');
  // The library starts programs of node only; this one is started here and spoken to over its pipes.
  const program = spawn(airlock, ['debug', '--dap'], { stdio: ['pipe', 'pipe', 'inherit'] });
  client.program = program;
  client.exited = new Promise((resolve) => program.on('exit', resolve));
  client.connect(program.stdout, program.stdin);
  client.defaultTimeout = 120000;
});
after(() => client.program.kill());

test('what is not a message of the protocol would be noticed', () => {
  assert.deepEqual(violations({ seq: 1, type: 'event', event: 'stopped', body: { reason: 'step' } }), []);
  assert.notDeepEqual(violations({ seq: 1, type: 'event', event: 'stopped', body: { reason: 5 } }), []);
  assert.notDeepEqual(violations({ seq: 1, type: 'event', event: 'nonsense' }), []);
});

test('a client begins, sets breakpoints of each kind, and is told where it stands', async () => {
  const capabilities = await client.ask('initialize', { adapterID: 'airlock', linesStartAt1: true, columnsStartAt1: true, supportsMemoryEvent: true, supportsInvalidatedEvent: true });
  assert.equal(capabilities.supportsStepBack, true);
  assert.match(await client.refused('threads'), /nothing is debugged yet/);
  assert.match(await client.refused('launch', { program: '/nowhere.air' }), /nowhere/);
  const initialized = client.waitForEvent('initialized');
  await client.ask('launch', { program: recording });
  await initialized;
  const filters = client.events.find((event) => event.event === 'capabilities').body.capabilities.exceptionBreakpointFilters;
  assert.ok(filters.some((filter) => filter.filter === 'vtl-call' && filter.supportsCondition));
  const functions = await client.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'securekernel!SkiStartInVtl1' }] });
  assert.equal(functions.breakpoints.length, 1);
  const entry = await client.stop_after('configurationDone', {});
  assert.equal(entry.reason, 'entry');
  const { threads } = await client.ask('threads');
  assert.deepEqual(threads.map((thread) => thread.name), ['VP 0 VTL 0', 'VP 0 VTL 1']);
});

test('it runs to a function of the secure kernel, and reads both worlds', async () => {
  const stop = await client.stop_after('continue', { threadId: vtl0 });
  assert.equal(stop.reason, 'function breakpoint');
  assert.equal(stop.threadId, vtl1);
  assert.equal(stop.hitBreakpointIds.length, 1);
  const { stackFrames } = await client.ask('stackTrace', { threadId: vtl1, startFrame: 0, levels: 20 });
  assert.match(stackFrames[0].name, /^securekernel!SkiStartInVtl1/);
  const { scopes } = await client.ask('scopes', { frameId: stackFrames[0].id });
  assert.deepEqual(scopes.slice(0, 2).map((scope) => scope.name), ['Registers of VTL 1', 'Registers of VTL 0']);
  const registers = [];
  for (const scope of scopes.slice(0, 2)) {
    const { variables } = await client.ask('variables', { variablesReference: scope.variablesReference });
    registers.push(Object.fromEntries(variables.map((variable) => [variable.name, variable])));
  }
  assert.equal(BigInt(registers[0].rip.value), BigInt(stackFrames[0].instructionPointerReference));
  assert.notEqual(registers[0].rip.value, registers[1].rip.value);
  const { variables: control } = await client.ask('variables', { variablesReference: registers[0].control.variablesReference });
  assert.ok(control.some((variable) => variable.name === 'cr3'));
  const { modules } = await client.ask('modules', {});
  assert.ok(modules.some((module) => /securekernel/.test(module.name)));
  const value = await client.ask('evaluate', { expression: 'rip', frameId: stackFrames[0].id, context: 'watch' });
  assert.equal(BigInt(value.memoryReference), BigInt(stackFrames[0].instructionPointerReference));
});

test('it disassembles and reads memory around the instruction', async () => {
  const { stackFrames } = await client.ask('stackTrace', { threadId: vtl1 });
  const here = stackFrames[0].instructionPointerReference;
  const { instructions } = await client.ask('disassemble', { memoryReference: here, instructionOffset: -4, instructionCount: 12, resolveSymbols: true });
  assert.equal(instructions.length, 12);
  const at = instructions[4];
  assert.equal(BigInt(at.address), BigInt(here));
  const memory = await client.ask('readMemory', { memoryReference: here, count: 16 });
  const first = Buffer.from(memory.data, 'base64').subarray(0, at.instructionBytes.split(' ').length).toString('hex');
  assert.equal(first, at.instructionBytes.replaceAll(' ', ''));
  const nowhere = await client.ask('readMemory', { memoryReference: '0x10', offset: 0, count: 16 });
  assert.ok(nowhere.data === undefined || nowhere.unreadableBytes === undefined);
});

test('it steps forwards and back to the same place', async () => {
  const name = async () => (await client.ask('stackTrace', { threadId: vtl1, levels: 1 })).stackFrames[0].instructionPointerReference;
  const start = await name();
  const forward = await client.stop_after('next', { threadId: vtl1, granularity: 'instruction' });
  assert.equal(forward.reason, 'step');
  assert.notEqual(await name(), start);
  assert.equal((await client.stop_after('stepBack', { threadId: vtl1, granularity: 'instruction' })).reason, 'step');
  assert.equal(await name(), start);
});

test('events stop it as exceptions, with conditions, in both directions', async () => {
  await client.ask('setExceptionBreakpoints', { filters: ['vtl-call'], filterOptions: [{ filterId: 'hypercall', condition: 'status != 0' }] });
  const stop = await client.stop_after('reverseContinue', { threadId: vtl1 });
  assert.equal(stop.reason, 'exception');
  const info = await client.ask('exceptionInfo', { threadId: stop.threadId });
  assert.match(info.exceptionId, /VtlCall/);
  await client.ask('setExceptionBreakpoints', { filters: [] });
});

test('a line of source stops it, and the source can be read', async () => {
  const source = { path: '/somewhere/else/images/ntoskrnl/hvl/secure_calls.cpp' };
  await client.ask('setFunctionBreakpoints', { breakpoints: [{ name: 'nt!KiSystemStartup' }] });
  await client.stop_after('continue', { threadId: vtl0 });
  const { stackFrames } = await client.ask('stackTrace', { threadId: vtl0 });
  const frame = stackFrames.find((row) => row.source && row.line > 0);
  assert.ok(frame, JSON.stringify(stackFrames));
  await client.ask('setFunctionBreakpoints', { breakpoints: [] });
  const bad = await client.ask('setBreakpoints', { source, breakpoints: [{ line: 1, hitCondition: 'often' }] });
  assert.equal(bad.breakpoints[0].verified, false);
  await client.ask('setBreakpoints', { source, breakpoints: [] });
  const set = await client.ask('setBreakpoints', { source: frame.source, breakpoints: [{ line: frame.line + 1 }] });
  assert.equal(set.breakpoints[0].verified, true);
  const stop = await client.stop_after('continue', { threadId: vtl0 });
  assert.equal(stop.reason, 'breakpoint');
  const [top] = (await client.ask('stackTrace', { threadId: stop.threadId, levels: 1 })).stackFrames;
  assert.equal(top.line, set.breakpoints[0].line);
  await client.ask('setBreakpoints', { source: frame.source, breakpoints: [] });
});

test('data is watched', async () => {
  const info = await client.ask('dataBreakpointInfo', { name: 'rsp - 8' });
  assert.match(info.dataId, /^memory gva:/);
  const set = await client.ask('setDataBreakpoints', { breakpoints: [{ dataId: info.dataId, accessType: 'write' }] });
  assert.equal(set.breakpoints[0].verified, true);
  const stop = await client.stop_after('continue', { threadId: vtl0 });
  assert.equal(stop.reason, 'data breakpoint');
  await client.ask('setDataBreakpoints', { breakpoints: [] });
});

test('the debug console is the console, with completion', async () => {
  const answer = await client.ask('evaluate', { expression: '.help !pte', context: 'repl' });
  assert.match(answer.result, /Page-table entries/);
  const { targets } = await client.ask('completions', { text: '!pt', column: 4 });
  assert.deepEqual(targets.map((target) => target.label), ['!pte']);
  const stopped = client.waitForEvent('stopped');
  await client.ask('evaluate', { expression: 't', context: 'repl' });
  await stopped;
});

test('a change begins a branch and says so', async () => {
  const { stackFrames: [frame] } = await client.ask('stackTrace', { threadId: vtl0, levels: 1 });
  const { scopes } = await client.ask('scopes', { frameId: frame.id });
  const set = await client.ask('setVariable', { variablesReference: scopes[0].variablesReference, name: 'rax', value: '0x1234' });
  assert.equal(BigInt(set.value), 0x1234n);
  assert.ok(client.events.some((event) => event.event === 'output' && /what-if branch begins/.test(event.body.output)));
  const { variables } = await client.ask('variables', { variablesReference: scopes[0].variablesReference });
  assert.equal(BigInt(variables.find((variable) => variable.name === 'rax').value), 0x1234n);
  const written = await client.ask('writeMemory', { memoryReference: variables.find((variable) => variable.name === 'rsp').value, data: 'QUI=' });
  assert.equal(written.bytesWritten, 2);
  await client.ask('evaluate', { expression: '.branch end', context: 'repl' });
});

test('what it cannot do is refused with a sentence', async () => {
  assert.match(await client.refused('scopes', { frameId: 999999 }), /machine has moved/);
  assert.match(await client.refused('readMemory', { memoryReference: 'nonsense', count: 1 }), /no address/);
  assert.match(await client.refused('launch', { program: recording }), /already/);
  assert.match(await client.refused('evaluate', { expression: 'no_such_name', context: 'watch' }), /no_such_name/);
});

test('it takes its leave, and the program ends', async () => {
  await client.ask('disconnect', {});
  assert.equal(await client.exited, 0);
});

test('every message was what the protocol says, in one sequence', () => {
  assert.deepEqual(client.wrong, []);
  assert.deepEqual(client.sequences, client.sequences.map((_, index) => index + 1));
  for (const type of ['StoppedEvent', 'ModuleEvent', 'OutputEvent', 'InvalidatedEvent', 'MemoryEvent', 'DisassembleResponse', 'ErrorResponse'])
    assert.ok(client.seen.has(type), type);
});
