/**
 * Readline writes here instead of to the terminal. This batches related writes, so that nothing flickers, and delays a
 * new width until the whole screen is redrawn: terminals differ in how they rewrap lines.
 */
import { Writable } from 'node:stream';
import type { WriteStream } from 'node:tty';

export type EditorOutput = ReturnType<typeof createEditorOutput>;

export function createEditorOutput(terminal: WriteStream) {
  let pending = '';

  function flush(): void {
    if (pending) terminal.write(pending);
    pending = '';
  }

  const stream = Object.assign(
    new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        if (!pending) queueMicrotask(flush);
        pending += chunk;
        done();
      },
    }),
    { isTTY: true, columns: terminal.columns, rows: terminal.rows },
  );

  return Object.assign(stream, {
    /** Writes to the terminal at once what is pending. */
    flush,
    /** Adopts the current size of the terminal. */
    updateSize(): void {
      stream.columns = terminal.columns;
      stream.rows = terminal.rows;
    },
  });
}
