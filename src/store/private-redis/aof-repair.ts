// Repairs the end of an append-only file after a power failure: part of a command, or zeros. The server does not start
// from a partial command, and treats zeros anywhere as the end of the file, discarding everything after them. Here the
// file is cut after the last complete command, and only if no complete command follows; otherwise the damage is in the
// middle, and the file is not touched.
import * as fs from 'node:fs';

/** The bytes from `good` to `size` are not a complete command, or belong to an unfinished transaction. */
type Tail = { good: number; damagedAt: number; size: number };
type Command = { name: string; end: number };

const WINDOW_BYTES = 1 << 20;
const MAX_LINE_BYTES = 128;
const MAX_ARGUMENTS = 1 << 20;

/** Random access to a file without loading all of it into memory. */
class Source {
  readonly size: number;
  readonly #descriptor: number;
  #window = Buffer.alloc(0);
  #from = 0;

  constructor(descriptor: number) {
    this.#descriptor = descriptor;
    this.size = fs.fstatSync(descriptor).size;
  }

  /** Up to `length` bytes; fewer at the end of the file. */
  at(from: number, length: number): Buffer {
    const isInWindow = from >= this.#from && from + length <= this.#from + this.#window.length;
    if (!isInWindow) {
      const bytes = Buffer.alloc(Math.min(Math.max(length, WINDOW_BYTES), Math.max(0, this.size - from)));
      const count = fs.readSync(this.#descriptor, bytes, 0, bytes.length, from);
      this.#window = bytes.subarray(0, count);
      this.#from = from;
    }
    return this.#window.subarray(from - this.#from, from - this.#from + length);
  }

  /** The line at `from`, without CR LF. */
  line(from: number): string | undefined {
    const text = this.at(from, MAX_LINE_BYTES).toString('latin1');
    const end = text.indexOf('\r\n');
    return end < 0 ? undefined : text.slice(0, end);
  }
}

/** Undefined if no complete command starts there. */
function commandAt(source: Source, from: number): Command | undefined {
  const head = source.line(from);
  if (head?.startsWith('#')) return { name: '', end: from + head.length + 2 }; // an annotation
  const count = /^\*(\d{1,7})$/.exec(head ?? '')?.[1];
  if (!count || Number(count) < 1 || Number(count) > MAX_ARGUMENTS) return undefined;
  let end = from + head!.length + 2;
  let name = '';
  for (let index = 0; index < Number(count); index += 1) {
    const line = source.line(end);
    const length = /^\$(\d{1,10})$/.exec(line ?? '')?.[1];
    if (!length) return undefined;
    const begin = end + line!.length + 2;
    end = begin + Number(length) + 2;
    if (end > source.size || source.at(end - 2, 2).toString('latin1') !== '\r\n') return undefined;
    if (index === 0)
      name = source
        .at(begin, Math.min(Number(length), 32))
        .toString('latin1')
        .toUpperCase();
  }
  return { name, end };
}

function tailOf(source: Source): Tail {
  const { size } = source;
  let good = 0;
  let at = 0;
  let isOpen = false;
  for (let command = commandAt(source, at); at < size && command; command = commandAt(source, at)) {
    at = command.end;
    if (command.name === 'MULTI') isOpen = true;
    if (command.name === 'EXEC') isOpen = false;
    if (!isOpen) good = at;
  }
  return { good, damagedAt: at, size };
}

/** Whether a complete command starts anywhere after the damage. */
function isFollowed(source: Source, damagedAt: number): boolean {
  for (let from = damagedAt + 1; from < source.size; from += WINDOW_BYTES - MAX_LINE_BYTES) {
    const text = source.at(from, WINDOW_BYTES).toString('latin1');
    for (const { index } of text.matchAll(/\*\d{1,7}\r\n\$\d/g)) {
      const { name = '' } = commandAt(source, from + index) ?? {};
      if (/^[A-Z]{2,20}$/.test(name)) return true;
    }
  }
  return false;
}

/**
 * Returns a description of the repair, or nothing if the end of the file is intact. Throws if it must not be repaired.
 */
export function repairTornTail(file: string): string | undefined {
  const descriptor = fs.openSync(file, 'r+');
  try {
    const source = new Source(descriptor);
    const { good, damagedAt, size } = tailOf(source);
    if (good === size) return undefined;
    if (good === 0 && damagedAt === 0) throw new Error(`${file} does not begin with a command`);
    if (isFollowed(source, damagedAt))
      throw new Error(`${file} is damaged at byte ${damagedAt}, and complete commands follow the damage`);
    const copy = `${file}.torn-${new Date().toISOString().replace(/[-:.]/g, '')}`;
    copyToDisk(file, copy);
    fs.ftruncateSync(descriptor, good);
    fs.fsyncSync(descriptor);
    return `${file} ended with ${size - good} bytes of an incomplete command, as after a power failure. They were removed; the original is saved as ${copy}`;
  } finally {
    fs.closeSync(descriptor);
  }
}

/** The copy is on disk before the original is changed, or an error is thrown. */
function copyToDisk(file: string, copy: string): void {
  try {
    fs.copyFileSync(file, copy, fs.constants.COPYFILE_EXCL | fs.constants.COPYFILE_FICLONE);
    fs.chmodSync(copy, 0o600);
    const descriptor = fs.openSync(copy, 'r+');
    fs.fsyncSync(descriptor);
    fs.closeSync(descriptor);
  } catch (error) {
    fs.rmSync(copy, { force: true });
    throw new Error(
      `${file} has a torn end, but could not be copied before the repair: ${(error as Error).message}`,
    );
  }
}
