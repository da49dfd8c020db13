// The extension for VS Code: what it contributes is what VS Code takes, and the command that it names is there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import Ajv from 'ajv';

const manifest = JSON.parse(readFileSync(process.env.MANIFEST, 'utf8'));
const text = { type: 'string', minLength: 1 };
/// Of VS Code's documentation of contributes.debuggers and contributes.breakpoints.
const shape = {
  type: 'object',
  required: ['name', 'publisher', 'version', 'engines', 'contributes'],
  properties: {
    name: { type: 'string', pattern: '^[a-z0-9-]+$' },
    publisher: { type: 'string', pattern: '^[a-zA-Z0-9-]+$' },
    version: { type: 'string', pattern: '^\\d+\\.\\d+\\.\\d+$' },
    engines: { type: 'object', required: ['vscode'], properties: { vscode: { type: 'string', pattern: '^\\^\\d+\\.\\d+\\.\\d+$' } } },
    main: false,
    contributes: {
      type: 'object',
      required: ['debuggers', 'breakpoints'],
      properties: {
        breakpoints: { type: 'array', minItems: 1, items: { type: 'object', required: ['language'], properties: { language: text }, additionalProperties: false } },
        debuggers: {
          type: 'array',
          minItems: 1,
          items: {
            type: 'object',
            required: ['type', 'label', 'runtime', 'runtimeArgs', 'configurationAttributes', 'initialConfigurations', 'configurationSnippets'],
            additionalProperties: false,
            properties: {
              type: text, label: text, runtime: text,
              languages: { type: 'array', items: text },
              runtimeArgs: { type: 'array', items: text },
              configurationAttributes: {
                type: 'object',
                additionalProperties: false,
                properties: { launch: { type: 'object', required: ['properties'] }, attach: { type: 'object', required: ['properties'] } },
              },
              initialConfigurations: { type: 'array', items: { type: 'object', required: ['type', 'request', 'name'] } },
              configurationSnippets: {
                type: 'array',
                items: { type: 'object', required: ['label', 'description', 'body'], properties: { body: { type: 'object', required: ['type', 'request', 'name'] } } },
              },
            },
          },
        },
      },
    },
  },
};

test('the manifest has the shape that VS Code takes', () => {
  const ajv = new Ajv({ strict: false, allErrors: true });
  assert.ok(ajv.validate(shape, manifest), ajv.errorsText());
  const [debug] = manifest.contributes.debuggers;
  for (const configuration of [...debug.initialConfigurations, ...debug.configurationSnippets.map((snippet) => snippet.body)]) {
    assert.equal(configuration.type, debug.type);
    const { properties, required = [] } = debug.configurationAttributes[configuration.request];
    const own = ['type', 'request', 'name', 'debugServer'];
    for (const name of Object.keys(configuration)) assert.ok(own.includes(name) || name in properties, name);
    for (const name of required) assert.ok(name in configuration, name);
  }
  for (const { properties } of Object.values(debug.configurationAttributes)) assert.ok(ajv.validateSchema({ type: 'object', properties }));
});

test('the command that it names is there', () => {
  const [debug] = manifest.contributes.debuggers;
  assert.equal(debug.runtime, 'airlock');
  const [subcommand, ...options] = debug.runtimeArgs;
  const help = execFileSync(process.env.AIRLOCK, [subcommand, '--help'], { encoding: 'utf8' });
  for (const option of options) assert.ok(help.includes(`${option} `) || help.includes(`${option},`), option);
});
