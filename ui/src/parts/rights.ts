// How the rights of a second stage are written, everywhere alike: four places, a dash where one is missing.
import type { Rights } from '../rpc/interface';

/** "rw kx ux", "r- -- ux", or "not mapped". */
export function rights_text(rights: Rights | undefined): string {
  if (rights === undefined) return 'unknown';
  if (!rights.mapped) return 'not mapped';
  const { read, write, kernel_execute, user_execute } = rights;
  return `${read ? 'r' : '-'}${write ? 'w' : '-'} ${kernel_execute ? 'kx' : '--'} ${user_execute ? 'ux' : '--'}`;
}

/** For people who hear it. */
export function rights_sentence(rights: Rights | undefined): string {
  if (rights === undefined) return 'unknown';
  if (!rights.mapped) return 'not mapped';
  const words = [
    rights.read ? 'read' : '',
    rights.write ? 'write' : '',
    rights.kernel_execute ? 'kernel execute' : '',
    rights.user_execute ? 'user execute' : '',
  ].filter((word) => word !== '');
  return words.length === 0 ? 'no rights' : words.join(', ');
}
