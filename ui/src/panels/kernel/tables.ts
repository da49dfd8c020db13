// What both kernels keep, as tables: which there are, and what an object of each is called in the PDB.
import type { Methods, Process } from '../../rpc/interface';

type KernelTable = Methods['kernel.table']['parameters']['what'];

/** Where a structure is, and what it is. */
export interface ObjectPlace {
  name: string;
  address: string;
  vtl: number;
}

export interface TableKind {
  id: 'processes' | 'trustlets' | KernelTable;
  title: string;
  /** Whose memory the objects are in. */
  vtl: number;
  /** Type of the objects; absent: they are none that can be opened. */
  type?: string;
  /** What it means that there are no rows. */
  empty: string;
}

export const tables: readonly TableKind[] = [
  { id: 'processes', title: 'Processes', vtl: 0, empty: 'No process yet.' },
  { id: 'trustlets', title: 'Trustlets', vtl: 1, empty: 'No trustlet yet: NT starts them once the secure kernel runs.' },
  { id: 'threads', title: 'Threads', vtl: 0, type: 'nt!KTHREAD', empty: 'No thread yet.' },
  { id: 'secure_threads', title: 'Secure threads', vtl: 1, type: 'securekernel!sk::SkThread', empty: 'No secure thread yet.' },
  { id: 'handles', title: 'Secure handles', vtl: 1, empty: 'The secure kernel has given out no handle.' },
  { id: 'mailboxes', title: 'Mailboxes', vtl: 1, empty: 'No trustlet has put anything into a mailbox.' },
  { id: 'blobs', title: 'Storage blobs', vtl: 1, type: 'securekernel!sk::BlobEntry', empty: 'No trustlet has stored a blob at this instant.' },
  { id: 'images', title: 'Secure images', vtl: 1, type: 'securekernel!sk::SecureImage', empty: 'No image was handed to the secure kernel.' },
  { id: 'ranges', title: 'Secure ranges', vtl: 1, type: 'securekernel!sk::SecureRange', empty: 'No trustlet has memory of its own.' },
  { id: 'pools', title: 'Secure pools', vtl: 1, empty: 'The secure kernel has no pool yet.' },
];

/** Types of the objects that handles name. */
const handle_types: Record<string, string> = { Process: 'securekernel!sk::SkProcess', Image: 'securekernel!sk::SecureImage' };

export function process_place(process: Process): ObjectPlace | undefined {
  if (process.object === undefined) return undefined;
  return { name: process.vtl === 0 ? 'nt!EPROCESS' : 'securekernel!sk::SkProcess', address: process.object, vtl: process.vtl };
}

export function row_place(table: TableKind, columns: readonly string[], row: { cells: readonly string[]; address?: string }): ObjectPlace | undefined {
  const handle = table.id === 'handles' ? handle_types[row.cells[columns.indexOf('type')] ?? ''] : undefined;
  const name = table.type ?? handle;
  return name === undefined || row.address === undefined ? undefined : { name, address: row.address, vtl: table.vtl };
}

/** A cell that is an address of memory, by its column. */
export function is_address(column: string, cell: string): boolean {
  return /^(stack|start|saved rsp|normal thread|teb|base|from|to|object)$/.test(column) && /^0x[0-9a-f]{4,16}$/.test(cell);
}
