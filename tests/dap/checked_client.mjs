// A published client of the Debug Adapter Protocol whose every message, in both directions, is checked against the published
// protocol. What is not as the protocol says is collected in `wrong`.
import assert from 'node:assert/strict';
import Ajv from 'ajv';
import testsupport from '@vscode/debugadapter-testsupport';
import { createGenerator } from 'ts-json-schema-generator';
import { fileURLToPath } from 'node:url';

const declarations = fileURLToPath(import.meta.resolve('@vscode/debugprotocol')).replace(/debugProtocol\.js$/, 'debugProtocol.d.ts');
const schema = createGenerator({
  path: declarations, type: '*', expose: 'all', skipTypeCheck: true, additionalProperties: true,
}).createSchema('*');
const ajv = new Ajv({ strict: false, allErrors: true });
ajv.addSchema(schema, 'protocol');

const capitalised = (name) => name[0].toUpperCase() + name.slice(1);

/// What the protocol calls a message.
function type_of(message) {
  if (message.type === 'event') return `${capitalised(message.event)}Event`;
  if (message.type === 'request') return `${capitalised(message.command)}Request`;
  return message.success ? `${capitalised(message.command)}Response` : 'ErrorResponse';
}

/// Why a message is not what the protocol says; empty if it is.
export function violations(message) {
  const type = type_of(message);
  const check = ajv.getSchema(`protocol#/definitions/DebugProtocol.${type}`);
  if (!check) return [`the protocol has no ${type}`];
  return check(message) ? [] : check.errors.map((error) => `${type}${error.instancePath} ${error.message}: ${JSON.stringify(message).slice(0, 400)}`);
}

export class CheckedClient extends testsupport.DebugClient {
  wrong = [];
  events = [];
  seen = new Set();
  sequences = [];

  /// Of the library: all that arrives passes here.
  dispatch(body) {
    const message = JSON.parse(body);
    this.seen.add(type_of(message));
    this.sequences.push(message.seq);
    this.wrong.push(...violations(message));
    if (message.type === 'event') this.events.push(message);
    super.dispatch(body);
  }

  /// The body of a response that has to be a success.
  async ask(command, args) {
    this.wrong.push(...violations({ seq: 1, type: 'request', command, arguments: args }));
    const response = await this.send(command, args);
    assert.equal(response.success, true);
    return response.body ?? {};
  }

  /// The message of a response that has to be a refusal.
  async refused(command, args) {
    try {
      await this.send(command, args);
    } catch (error) {
      return error.message;
    }
    return assert.fail(`${command} was not refused`);
  }

  /// Asks for a motion and waits for where it ends.
  async stop_after(command, args) {
    const stopped = this.waitForEvent('stopped');
    await this.ask(command, args);
    return (await stopped).body;
  }
}
