// What the browser keeps for somebody between visits. Broken or foreign content counts as absent.

const prefix = 'airlock.';

export function load<T>(name: string, otherwise: T, valid: (value: unknown) => value is T): T {
  try {
    const text = localStorage.getItem(prefix + name);
    const value: unknown = text === null ? undefined : JSON.parse(text);
    return valid(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

/** False: the browser keeps nothing (storage is off or full). */
export function store(name: string, value: unknown): boolean {
  try {
    localStorage.setItem(prefix + name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}

export type Theme = 'system' | 'light' | 'dark';
const is_theme = (value: unknown): value is Theme => value === 'system' || value === 'light' || value === 'dark';

class Settings {
  #theme = $state<Theme>(load('theme', 'system', is_theme));

  get theme(): Theme {
    return this.#theme;
  }
  set theme(theme: Theme) {
    this.#theme = theme;
    store('theme', theme);
    this.apply();
  }

  /** What is shown: system is one of the two. */
  get shown(): 'light' | 'dark' {
    if (this.#theme !== 'system') return this.#theme;
    return matchMedia('(prefers-color-scheme: light)').matches ? 'light' : 'dark';
  }

  apply(): void {
    document.documentElement.dataset['theme'] = this.shown;
  }
}

export const settings = new Settings();
