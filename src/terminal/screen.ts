/**
 * The chat screen: what was said, above; the line being typed, below. Whatever is printed goes above that line, which
 * is drawn again as it was, in one write, so nothing tears or flickers. `node:readline` edits the line.
 *
 * Readline writes to a surface of ours instead of the terminal. So what belongs together leaves in one write, and a new
 * width takes effect when we are ready: terminals differ in how they rewrap, so everything in sight is drawn anew.
 */
import { clearScreenDown, createInterface, cursorTo, type Key, moveCursor } from 'node:readline';
import { Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Block } from './lines.ts';

export type Screen = {
  print(...blocks: Block[]): void;
  setPrompt(prompt: string): void;
  /** Puts a text into the line, as if it had been typed. */
  type(text: string): void;
  /** Leaves the terminal as it was found: cooked, the cursor below everything. Answers what was being typed. */
  close(): string;
};

/** More than the tallest terminal shows. */
const REMEMBERED_BLOCKS = 300;
const LINES_KEPT_FOR_ARROW_UP = 200;

export function openScreen(options: {
  input: ReadStream;
  output: WriteStream;
  onLine: (line: string) => void;
  /** Ctrl-C, Ctrl-D, or the terminal is gone. */
  onLeave: () => void;
  /** What Tab offers for the line so far. */
  complete: (line: string) => string[];
}): Screen {
  const { input, output, onLine, onLeave, complete } = options;
  const blocks: Block[] = [];
  let pending = '';
  let isClosed = false;
  /** Rows of the line that Enter ended, beyond its first. */
  let enteredRows = 0;

  function flush(): void {
    if (pending) output.write(pending);
    pending = '';
  }
  const surface = Object.assign(
    new Writable({
      decodeStrings: false,
      write(chunk: string, _encoding, done) {
        if (!pending) queueMicrotask(flush);
        pending += chunk;
        done();
      },
    }),
    { isTTY: true, columns: output.columns, rows: output.rows },
  );
  const editor = createInterface({
    input,
    output: surface,
    terminal: true,
    historySize: LINES_KEPT_FOR_ARROW_UP,
    removeHistoryDuplicates: true,
    completer: (line: string) => [complete(line), line],
  });

  /** The cursor to where the line begins; everything from there on is blank. */
  function clearLine(rows: number): void {
    moveCursor(surface, 0, -rows);
    cursorTo(surface, 0);
    clearScreenDown(surface);
  }

  /** `rows`: the editor goes up as many before it draws, as it stood so far down when it last drew. */
  function drawAbove(text: string, rows: number): void {
    surface.write(`${text}\n${'\n'.repeat(rows)}`);
    editor.prompt(true);
  }

  function print(...more: Block[]): void {
    if (isClosed || more.length === 0) return;
    blocks.push(...more);
    blocks.splice(0, blocks.length - REMEMBERED_BLOCKS);
    const { rows } = editor.getCursorPos();
    clearLine(rows);
    drawAbove(more.map((block) => block(surface.columns)).join('\n'), rows);
  }

  function resize(): void {
    const { rows } = editor.getCursorPos();
    surface.columns = output.columns;
    surface.rows = output.rows;
    const lines = blocks.flatMap((block) => block(surface.columns).split('\n'));
    const room = Math.max(1, output.rows - 1 - editor.getCursorPos().rows);
    cursorTo(surface, 0, 0);
    clearScreenDown(surface);
    drawAbove(lines.slice(-room).join('\n'), rows);
  }

  /** Before the editor sees the key: to the end of the line, whose rows are then known. */
  function onKey(_: string | undefined, { name }: Key): void {
    if (name !== 'return' && name !== 'enter') return;
    editor.write(null, { ctrl: true, name: 'e' });
    enteredRows = editor.getCursorPos().rows;
  }

  input.prependListener('keypress', onKey);
  output.on('resize', resize);
  editor.on('line', (line) => {
    clearLine(enteredRows + 1); // what was sent is shown when the server has it
    editor.prompt();
    onLine(line);
  });
  editor.on('SIGCONT', () => editor.prompt(true)); // back from Ctrl-Z
  editor.on('SIGINT', onLeave);
  editor.on('close', () => {
    if (!isClosed) onLeave();
  });

  return {
    print,
    setPrompt(prompt) {
      if (isClosed || editor.getPrompt() === prompt) return;
      editor.setPrompt(prompt);
      editor.prompt(true);
    },
    type: (text) => editor.write(text),
    close() {
      isClosed = true;
      input.off('keypress', onKey);
      output.off('resize', resize);
      const typed = editor.line;
      clearLine(editor.getCursorPos().rows);
      editor.close();
      flush();
      return typed;
    },
  };
}
