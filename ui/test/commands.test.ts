import { expect, test, vi } from 'vitest';
import { Commands, key_name, type Command } from '../src/core/commands.svelte';

const command = (id: string, keys: string[], more: Partial<Command> = {}): Command => ({ id, title: id, group: 'Motion', keys, run: vi.fn(), ...more });
const press = (key: string, modifiers: KeyboardEventInit = {}, target?: HTMLElement): KeyboardEvent => {
  const event = new KeyboardEvent('keydown', { key, bubbles: true, cancelable: true, ...modifiers });
  (target ?? document.body).dispatchEvent(event);
  return event;
};

test.each([
  ['F11', {}, 'F11'],
  ['F11', { ctrlKey: true, shiftKey: true }, 'Ctrl+Shift+F11'],
  ['S', { shiftKey: true }, 'Shift+s'],
  ['?', { shiftKey: true }, '?'],
  ['k', { metaKey: true }, 'Ctrl+k'],
])('%s with %o is called %s', (key, modifiers, name) => {
  expect(key_name(new KeyboardEvent('keydown', { key, ...modifiers }))).toBe(name);
});

test('a key does what its command says, once, and the browser does nothing', () => {
  const commands = new Commands();
  const step = command('step', ['F11', 's']);
  commands.add([step]);
  const event = press('s');
  expect(commands.press(event)).toBe(true);
  expect(event.defaultPrevented).toBe(true);
  expect(step.run).toHaveBeenCalledOnce();
  expect(commands.press(press('x'))).toBe(false);
});

test('letters are text while somebody types, function keys are not', () => {
  const commands = new Commands();
  commands.add([command('letter', ['s']), command('function', ['F11']), command('palette', ['Ctrl+k'], { everywhere: true })]);
  const field = document.createElement('input');
  document.body.append(field);
  expect(commands.press(press('s', {}, field))).toBe(false);
  expect(commands.press(press('F11', {}, field))).toBe(true);
  expect(commands.press(press('k', { ctrlKey: true }, field))).toBe(true);
});

test('what cannot be done now is not done, and its key is still ours', () => {
  const commands = new Commands();
  const stop = command('stop', ['Escape'], { enabled: () => false });
  commands.add([stop]);
  expect(commands.press(press('Escape'))).toBe(true);
  expect(commands.run('stop')).toBe(false);
  expect(stop.run).not.toHaveBeenCalled();
});

test('two commands cannot have one key, and what was removed is free again', () => {
  const commands = new Commands();
  const remove = commands.add([command('a', ['x'])]);
  expect(() => commands.add([command('b', ['x'])])).toThrow(/same id or key/);
  remove();
  expect(() => commands.add([command('b', ['x'])])).not.toThrow();
});
