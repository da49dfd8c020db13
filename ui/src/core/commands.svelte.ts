// Everything that can be done, declared once: keys, the palette, tooltips and the help overlay read this list.

export interface Command {
  /** For layouts, scripts and tests: stays the same. */
  id: string;
  title: string;
  group: 'Motion' | 'Look' | 'Breakpoints' | 'Bookmarks' | 'Layout' | 'Run' | 'Help';
  /** As key_name() writes them: F11, Ctrl+F11, Shift+n, [ . The first is the one that is shown. */
  keys?: readonly string[];
  /** Also while somebody types into a field. */
  everywhere?: boolean;
  run: () => unknown;
  /** Absent: always. */
  enabled?: () => boolean;
}

export class Commands {
  list = $state.raw<readonly Command[]>([]);

  /** Until the returned function is called. Two commands with one id or key are a defect of ours. */
  add(commands: readonly Command[]): () => void {
    for (const command of commands) this.#check(command);
    this.list = [...this.list, ...commands];
    return () => (this.list = this.list.filter((command) => !commands.includes(command)));
  }

  find(id: string): Command | undefined {
    return this.list.find((command) => command.id === id);
  }

  /** Does it, if it can be done now. */
  run(id: string): boolean {
    const command = this.find(id);
    if (command === undefined || command.enabled?.() === false) return false;
    command.run();
    return true;
  }

  /** "Step back (Ctrl+F11)", for tooltips. */
  label(id: string): string {
    const command = this.find(id);
    if (command === undefined) return '';
    return command.keys?.[0] === undefined ? command.title : `${command.title} (${command.keys[0]})`;
  }

  /** True when the key was one of ours. */
  press(event: KeyboardEvent): boolean {
    if (event.isComposing || event.defaultPrevented) return false;
    const name = key_name(event);
    const typing = types(event.target);
    const command = this.list.find((each) => each.keys?.includes(name) && (!typing || each.everywhere || /^(Ctrl\+)?(Shift\+)?F\d/.test(name)));
    if (command === undefined) return false;
    event.preventDefault();
    if (command.enabled?.() !== false) command.run();
    return true;
  }

  #check(command: Command): void {
    const clash = this.list.find((other) => other.id === command.id || other.keys?.some((key) => command.keys?.includes(key)));
    if (clash !== undefined) throw new Error(`commands ${clash.id} and ${command.id} have the same id or key`);
  }
}

/** Ctrl+Shift+F11, Shift+n, [ , Escape: letters are lower case, signs as they are printed. */
export function key_name(event: KeyboardEvent): string {
  const letter = /^[a-z]$/i.test(event.key);
  const key = letter ? event.key.toLowerCase() : event.key;
  const shift = event.shiftKey && (letter || event.key.length > 1);
  const control = event.ctrlKey || event.metaKey;
  return `${control ? 'Ctrl+' : ''}${event.altKey ? 'Alt+' : ''}${shift ? 'Shift+' : ''}${key}`;
}

function types(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) return !['checkbox', 'radio', 'button', 'range'].includes(target.type);
  return target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable;
}
