/**
 * The chat screen: messages above, the input line below, edited with `node:readline`. Output is printed above the input
 * line, which is redrawn in the same write, so nothing flickers.
 *
 * Readline writes to `editorOutput` instead of the terminal. This batches related writes, and delays a new width until
 * the whole screen is redrawn: terminals differ in how they rewrap lines. Readline also gets its keys from here: line
 * breaks in a bracketed paste do not submit the line, and Ctrl-Z suspends the whole job (`npm run chat` is several
 * processes), not only this process.
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
  /** Inserts text at the cursor of the input line. */
  insert(text: string): void;
  /** Restores the terminal and returns the unfinished input line. */
  close(): string;
};

/** Kept for redrawing; more than the tallest terminal shows. */
const MAX_BLOCKS = 300;
const HISTORY_LINES = 200;

const BRACKETED_PASTE_ON = '\u001b[?2004h';
export const BRACKETED_PASTE_OFF = '\u001b[?2004l';
/** Without a job-control shell SIGTSTP has no effect, so the screen resumes by itself after this time. */
const SUSPEND_GRACE_MS = 50;

export function openScreen(options: {
  input: ReadStream;
  output: WriteStream;
  onLine: (line: string) => void;
  /** On Ctrl-C, Ctrl-D, or when the terminal is closed. */
  onExit: () => void;
  /** Returns the Tab completions for the line so far. */
  complete: (line: string) => string[];
}): Screen {
  const { input, output, onLine, onExit, complete } = options;
  const blocks: Block[] = [];
  let pending = '';
  let isClosed = false;
  /** Rows of the submitted line below its first. */
  let enteredRows = 0;

  function flush(): void {
    if (pending) output.write(pending);
    pending = '';
  }
  const editorOutput = Object.assign(
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
  const editorInput = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => input.setRawMode(isRaw),
  });
  const editor = createInterface({
    input: editorInput,
    output: editorOutput,
    terminal: true,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string) => [complete(line), line],
  });

  /** Moves the cursor to the start of the input line and clears everything below. */
  function clearLine(rows: number): void {
    moveCursor(editorOutput, 0, -rows);
    cursorTo(editorOutput, 0);
    clearScreenDown(editorOutput);
  }

  /** `rows`: readline moves up by its last cursor row before it draws, so move down by as many first. */
  function drawAbove(text: string, rows: number): void {
    editorOutput.write(`${text}\n${'\n'.repeat(rows)}`);
    editor.prompt(true);
  }

  function print(...more: Block[]): void {
    if (isClosed || more.length === 0) return;
    blocks.push(...more);
    blocks.splice(0, blocks.length - MAX_BLOCKS);
    const { rows } = editor.getCursorPos();
    clearLine(rows);
    drawAbove(more.map((block) => block(editorOutput.columns)).join('\n'), rows);
  }

  function resize(): void {
    const { rows } = editor.getCursorPos();
    editorOutput.columns = output.columns;
    editorOutput.rows = output.rows;
    const lines = blocks.flatMap((block) => block(editorOutput.columns).split('\n'));
    const visibleRows = Math.max(1, output.rows - 1 - editor.getCursorPos().rows);
    cursorTo(editorOutput, 0, 0);
    clearScreenDown(editorOutput);
    drawAbove(lines.slice(-visibleRows).join('\n'), rows);
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
        // Move to the end of the line to find out its number of rows.
        editor.write(null, { ctrl: true, name: 'e' });
        enteredRows = editor.getCursorPos().rows;
      }
      editorInput.emit('keypress', typed, key);
    }
  }

  /** Keeps line breaks: readline cannot insert them, but can display a line that contains them. */
  function insert(text: string): void {
    const clean = text
      .replace(/\r\n?/g, '\n')
      .replace(/\n+$/, '')
      .replace(/(?![\n\t])\p{Cc}/gu, '');
    const { line, cursor } = editor;
    const { rows } = editor.getCursorPos();
    clearLine(rows);
    editorOutput.write('\n'.repeat(rows));
    Object.assign(editor, {
      line: line.slice(0, cursor) + clean + line.slice(cursor),
      cursor: cursor + clean.length,
    });
    editor.prompt(true);
  }

  function suspend(): void {
    clearLine(editor.getCursorPos().rows);
    editorOutput.write(BRACKETED_PASTE_OFF);
    flush();
    isDrawn = false;
    input.setRawMode(false);
    process.kill(0, 'SIGTSTP');
    timer = setTimeout(resume, SUSPEND_GRACE_MS);
  }

  /** On SIGCONT, or when nothing was suspended. Both may happen; a line that is already drawn is redrawn in place. */
  function resume(): void {
    clearTimeout(timer);
    input.setRawMode(false); // otherwise Node assumes that raw mode is still set
    input.setRawMode(true);
    const { rows } = editor.getCursorPos();
    if (isDrawn) clearLine(rows);
    editorOutput.write(`${BRACKETED_PASTE_ON}${'\n'.repeat(rows)}`);
    editor.prompt(true);
    isDrawn = true;
  }

  const onEnd = (): void => void editorInput.end();
  emitKeypressEvents(input);
  input.on('keypress', onKey).once('end', onEnd).resume();
  output.on('resize', resize);
  process.on('SIGCONT', resume);
  editorOutput.write(BRACKETED_PASTE_ON);
  editor.on('line', (line) => {
    clearLine(enteredRows + 1); // sent messages are shown once the server has stored them
    editor.prompt();
    onLine(line);
  });
  editor.on('SIGTSTP', suspend);
  editor.on('SIGINT', onExit);
  editor.on('close', () => {
    if (!isClosed) onExit();
  });

  return {
    print,
    setPrompt(prompt) {
      if (isClosed || editor.getPrompt() === prompt) return;
      editor.setPrompt(prompt);
      editor.prompt(true);
    },
    insert: insert,
    close() {
      isClosed = true;
      input.off('keypress', onKey).off('end', onEnd).pause();
      output.off('resize', resize);
      process.off('SIGCONT', resume);
      clearTimeout(timer);
      const unfinishedLine = editor.line;
      clearLine(editor.getCursorPos().rows);
      editorOutput.write(BRACKETED_PASTE_OFF);
      editor.close();
      flush();
      return unfinishedLine;
    },
  };
}
