// A file that the program made, for the browser to keep.

/** Names come from the program, which takes them from recordings: no folders, no hidden files. */
export function safe_name(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9._-]+/g, '_').replace(/^[._]+/, '');
  return plain === '' ? 'airlock' : plain.slice(-120);
}

export function download(name: string, base64: string): void {
  const text = atob(base64);
  const bytes = Uint8Array.from(text, (character) => character.charCodeAt(0));
  const url = URL.createObjectURL(new Blob([bytes], { type: 'application/octet-stream' }));
  const link = document.createElement('a');
  link.href = url;
  link.download = safe_name(name);
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
