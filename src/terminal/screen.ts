/**
 * The chat screen: what was said, above; the line being typed, below. Whatever is printed goes above that line, which
 * is drawn again as it was, in one write, so nothing tears or flickers. `node:readline` edits the line.
 *
 * Readline writes to a surface of ours instead of the terminal. So what belongs together leaves in one write, and a new
 * width takes effect when we are ready: terminals differ in how they rewrap, so everything in sight is drawn anew.
 * It also gets its keys from us: of what is pasted (as the terminal marks it) a line break does not end the line, and
 * Ctrl-Z stops the whole job, `npm run chat` with all its processes, not this process alone.
 */
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  emitKeypressEvents,
  type Key,
  moveCursor,
} from 'node:readline';
import { PassThrough, Writable } from 'node:stream';
import type { ReadStream, WriteStream } from 'node:tty';
import type { Block } from './format-message.ts';

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

const PASTES_MARKED = '\u001b[?2004h';
export const PASTES_PLAIN = '\u001b[?2004l';
/** Where there is no shell to come back from nothing stops, and it goes on. A stop that comes later ends with SIGCONT. */
const STOPPED_WITHIN_MS = 50;

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
  const keys = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => input.setRawMode(isRaw),
  });
  const editor = createInterface({
    input: keys,
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

  let pasted: string | undefined;
  let isDrawn = true;
  let timer: ReturnType<typeof setTimeout> | undefined;

  function onKey(typed: string | undefined, key: Key): void {
    if (key.name === 'paste-start') pasted = '';
    else if (key.name === 'paste-end') {
      insert(pasted ?? '');
      pasted = undefined;
    } else if (pasted !== undefined) pasted += key.sequence ?? '';
    else {
      if (key.name === 'return' || key.name === 'enter') {
        // To the end of the line, whose rows are then known.
        editor.write(null, { ctrl: true, name: 'e' });
        enteredRows = editor.getCursorPos().rows;
      }
      keys.emit('keypress', typed, key);
    }
  }

  /** At the cursor, with its line breaks: the editor has no way to do that, but shows a line that has some. */
  function insert(text: string): void {
    const clean = text
      .replace(/\r\n?/g, '\n')
      .replace(/\n+$/, '')
      .replace(/(?![\n\t])\p{Cc}/gu, '');
    const { line, cursor } = editor;
    const { rows } = editor.getCursorPos();
    clearLine(rows);
    surface.write('\n'.repeat(rows));
    const after = { line: line.slice(0, cursor) + clean + line.slice(cursor), cursor: cursor + clean.length };
    Object.assign(editor, after);
    editor.prompt(true);
  }

  function suspend(): void {
    clearLine(editor.getCursorPos().rows);
    surface.write(PASTES_PLAIN);
    flush();
    isDrawn = false;
    input.setRawMode(false);
    process.kill(0, 'SIGTSTP');
    timer = setTimeout(comeBack, STOPPED_WITHIN_MS);
  }

  /** By SIGCONT, or because nothing stopped us. Both may come: what is drawn already is drawn again in its place. */
  function comeBack(): void {
    clearTimeout(timer);
    input.setRawMode(false); // Node believes that the mode is as it left it
    input.setRawMode(true);
    const { rows } = editor.getCursorPos();
    if (isDrawn) clearLine(rows);
    surface.write(`${PASTES_MARKED}${'\n'.repeat(rows)}`);
    editor.prompt(true);
    isDrawn = true;
  }

  const onEnd = (): void => void keys.end();
  emitKeypressEvents(input);
  input.on('keypress', onKey).once('end', onEnd).resume();
  output.on('resize', resize);
  process.on('SIGCONT', comeBack);
  surface.write(PASTES_MARKED);
  editor.on('line', (line) => {
    clearLine(enteredRows + 1); // what was sent is shown when the server has it
    editor.prompt();
    onLine(line);
  });
  editor.on('SIGTSTP', suspend);
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
    type: insert,
    close() {
      isClosed = true;
      input.off('keypress', onKey).off('end', onEnd).pause();
      output.off('resize', resize);
      process.off('SIGCONT', comeBack);
      clearTimeout(timer);
      const typed = editor.line;
      clearLine(editor.getCursorPos().rows);
      surface.write(PASTES_PLAIN);
      editor.close();
      flush();
      return typed;
    },
  };
}
