/**
 * The input line, edited with `node:readline`. Readline gets its keys from here, so that line breaks in a bracketed paste
 * do not submit the line.
 */
import {
  clearScreenDown,
  createInterface,
  cursorTo,
  emitKeypressEvents,
  type Interface,
  type Key,
  moveCursor,
} from 'node:readline';
import { PassThrough } from 'node:stream';
import type { ReadStream } from 'node:tty';
import type { EditorOutput } from './editor-output.ts';

export type LineEditor = ReturnType<typeof openLineEditor>;
type LineEditorOptions = {
  input: ReadStream;
  output: EditorOutput;
  onLine: (line: string) => void;
  /** On Ctrl-C, Ctrl-D, or when the terminal is closed. */
  onExit: () => void;
  /** On Ctrl-Z. */
  onSuspend: () => void;
  /** Returns the Tab completions for the line so far. */
  complete: (line: string) => string[];
};

const HISTORY_LINES = 200;

export function openLineEditor(options: LineEditorOptions) {
  const { input, output, onLine, onExit, onSuspend, complete } = options;
  const keys = Object.assign(new PassThrough(), {
    isTTY: true,
    setRawMode: (isRaw: boolean) => input.setRawMode(isRaw),
  });
  const readline = createInterface({
    input: keys,
    output,
    terminal: true,
    historySize: HISTORY_LINES,
    removeHistoryDuplicates: true,
    completer: (line: string) => [complete(line), line],
  });
  const line = createInputLine(readline, output);
  let isClosed = false;
  /** Rows of the submitted line below its first. */
  let enteredRows = 0;

  const onKey = createKeyHandler(line.insert, (typed, key) => {
    if (key.name === 'return' || key.name === 'enter') enteredRows = line.moveToEnd();
    keys.emit('keypress', typed, key);
  });
  const onEnd = (): void => void keys.end();
  emitKeypressEvents(input);
  input.on('keypress', onKey).once('end', onEnd).resume();
  readline.on('line', (text) => {
    line.clear(enteredRows + 1); // sent messages are shown once the server has stored them
    readline.prompt();
    onLine(text);
  });
  readline.on('SIGTSTP', onSuspend);
  readline.on('SIGINT', onExit);
  readline.on('close', () => {
    if (!isClosed) onExit();
  });

  return {
    ...line,
    /** Removes the line from the screen, stops reading keys, and returns the unfinished input. */
    close(): string {
      isClosed = true;
      input.off('keypress', onKey).off('end', onEnd).pause();
      const unfinishedLine = readline.line;
      line.clear(line.cursorRow());
      readline.close();
      return unfinishedLine;
    },
  };
}

/** Draws and changes the input line. A long one has several rows; the cursor may be in any of them. */
function createInputLine(readline: Interface, output: EditorOutput) {
  /** The row of the cursor, counted from the first row of the line. */
  const cursorRow = (): number => readline.getCursorPos().rows;

  /** Moves the cursor to the start of the line, which is `row` rows above, and clears everything below. */
  function clear(row: number): void {
    moveCursor(output, 0, -row);
    cursorTo(output, 0);
    clearScreenDown(output);
  }

  /**
   * Writes `above` and draws the line below it. `row`: where the cursor was when the line was last drawn. Readline moves
   * up by as many rows before it draws, so move down first.
   */
  function draw(above: string, row: number): void {
    output.write(`${above}${'\n'.repeat(row)}`);
    readline.prompt(true);
  }

  return {
    cursorRow,
    clear,
    draw,
    setPrompt(prompt: string): void {
      if (readline.getPrompt() === prompt) return;
      readline.setPrompt(prompt);
      readline.prompt(true);
    },
    /** Inserts at the cursor. Keeps line breaks: readline cannot insert them, but can display a line that has them. */
    insert(text: string): void {
      const clean = text
        .replace(/\r\n?/g, '\n')
        .replace(/\n+$/, '')
        .replace(/(?![\n\t])\p{Cc}/gu, '');
      const { line, cursor } = readline;
      const row = cursorRow();
      clear(row);
      Object.assign(readline, {
        line: line.slice(0, cursor) + clean + line.slice(cursor),
        cursor: cursor + clean.length,
      });
      draw('', row);
    },
    /** Moves the cursor to the end of the line and returns its row. */
    moveToEnd(): number {
      readline.write(null, { ctrl: true, name: 'e' });
      return cursorRow();
    },
  };
}

type KeyHandler = (typed: string | undefined, key: Key) => void;

/** Passes keys on, and collects those of a bracketed paste. */
function createKeyHandler(onPaste: (text: string) => void, onKey: KeyHandler): KeyHandler {
  let pasted: string | undefined;
  return (typed, key) => {
    if (key.name === 'paste-start') pasted = '';
    else if (key.name === 'paste-end') {
      onPaste(pasted ?? '');
      pasted = undefined;
    } else if (pasted !== undefined) pasted += key.sequence ?? '';
    else onKey(typed, key);
  };
}
