import type { Panel } from '../../core/workspace.svelte';
import Kernel from './Kernel.svelte';

export const panel: Panel = {
  id: 'kernel',
  title: 'Kernel objects',
  help: 'Processes, threads, trustlets, handles, mailboxes, blobs: what both kernels keep at this instant.',
  component: Kernel,
  several: true,
};
