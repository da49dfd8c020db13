// The tab of a pane: a button that brings it to the front, and one that closes it.
import type { ITabRenderer, TabPartInitParameters } from 'dockview-core';
import { restore_scroll } from '../parts/keeps_scroll';

export class PaneTab implements ITabRenderer {
  readonly element = document.createElement('div');
  readonly #name = document.createElement('button');
  readonly #close = document.createElement('button');
  #stop: (() => void)[] = [];

  init(parameters: TabPartInitParameters): void {
    const { api } = parameters;
    this.element.className = 'pane-tab';
    this.#name.className = 'link';
    this.#close.className = 'link close';
    this.#close.textContent = '×';
    this.#close.tabIndex = -1; // the command closes it by key
    this.#name.onclick = () => {
      api.setActive();
      restore_scroll(); // also of the pane that is in front already: it is put in anew
    };
    this.#close.onclick = () => api.close();
    this.#close.onpointerdown = (event) => event.stopPropagation(); // not a drag
    this.element.append(this.#name, this.#close);
    this.#entitle(parameters.title);
    const show = (visible: boolean) => this.#name.setAttribute('aria-current', String(visible));
    show(api.isVisible);
    const changes = [api.onDidVisibilityChange((event) => show(event.isVisible)), api.onDidTitleChange((event) => this.#entitle(event.title))];
    this.#stop = changes.map((change) => () => change.dispose());
  }

  #entitle(title: string): void {
    this.#name.textContent = title;
    this.#close.ariaLabel = `Close ${title}`;
    this.#close.title = `Close ${title}`;
  }

  dispose(): void {
    for (const stop of this.#stop) stop();
  }
}
