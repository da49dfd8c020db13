// Marking places of a run, and whether the marks are kept in the recording.
import { asRpcError, code } from '../rpc/errors';
import type { Bookmark } from '../rpc/interface';
import type { Session } from './session.svelte';

/** Text that a bookmark can have: the program refuses more. */
export const longest_bookmark = 4096;

/** Of each run, what the last change said. */
const states = new WeakMap<Session, { saved: boolean | undefined }>();

function state_of(session: Session): { saved: boolean | undefined } {
  let state = states.get(session);
  if (state === undefined) {
    const fresh = $state<{ saved: boolean | undefined }>({ saved: undefined });
    states.set(session, (state = fresh));
  }
  return state;
}

/** Where the bookmarks of a run are, in words. */
export function where_kept(session: Session): string {
  if (state_of(session).saved === false || session.hello?.live) return 'only here: they go when the program ends';
  return 'in the recording';
}

/** False: it was refused, and the page says why. */
async function change(session: Session, call: () => Promise<{ saved: boolean }>): Promise<boolean> {
  try {
    state_of(session).saved = (await call()).saved;
    // Others are told by a notification; this page may not wait for it.
    session.bookmarks = (await session.call('bookmark.list', {})).bookmarks;
    return true;
  } catch (error) {
    const problem = asRpcError(error);
    if (problem.code !== code.disconnected) session.say(problem.message, 'error');
    return false;
  }
}

export function add_bookmark(session: Session, at: number, text: string): Promise<boolean> {
  return change(session, () => session.call('bookmark.add', { at, text }));
}
export function change_bookmark(session: Session, id: number, text: string): Promise<boolean> {
  return change(session, () => session.call('bookmark.change', { id, text }));
}
export function remove_bookmark(session: Session, id: number): Promise<boolean> {
  return change(session, () => session.call('bookmark.remove', { id }));
}

/** The first line is the name; what follows is a note. */
export function name_and_note(bookmark: Pick<Bookmark, 'text'>): { name: string; note: string } {
  const [name = '', ...note] = bookmark.text.split('\n');
  return { name, note: note.join('\n').trim() };
}
export function bookmark_text(name: string, note: string): string {
  const line = name.replace(/\s+/g, ' ').trim();
  return note.trim() === '' ? line : `${line}\n${note.trim()}`;
}
