/**
 * The chat screen: messages above, the input line below. Messages are printed above the input line, which is redrawn in
 * the same write. On a resize the whole screen is redrawn.
 */
import { clearScreenDown, cursorTo } from 'node:readline';
import type { ReadStream, WriteStream } from 'node:tty';
import { BRACKETED_PASTE_OFF, BRACKETED_PASTE_ON } from './bracketed-paste.ts';
import { createEditorOutput } from './editor-output.ts';
import type { Block } from './format-message.ts';
import { createJobControl } from './job-control.ts';
import { openLineEditor } from './line-editor.ts';

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

export function openScreen(options: {
  input: ReadStream;
  output: WriteStream;
  onLine: (line: string) => void;
  /** On Ctrl-C, Ctrl-D, or when the terminal is closed. */
  onExit: () => void;
  /** Returns the Tab completions for the line so far. */
  complete: (line: string) => string[];
}): Screen {
  const { input, output, ...handlers } = options;
  const editorOutput = createEditorOutput(output);
  const editor = openLineEditor({
    ...handlers,
    input,
    output: editorOutput,
    onSuspend: () => jobControl.suspend(),
  });
  const jobControl = createJobControl(input, editorOutput, editor);
  const blocks: Block[] = [];
  let isClosed = false;

  function print(...more: Block[]): void {
    if (isClosed || more.length === 0) return;
    blocks.push(...more);
    blocks.splice(0, blocks.length - MAX_BLOCKS);
    const row = editor.cursorRow();
    editor.clear(row);
    editor.draw(`${more.map((block) => block(editorOutput.columns)).join('\n')}\n`, row);
  }

  function resize(): void {
    const row = editor.cursorRow();
    editorOutput.updateSize();
    const lines = blocks.flatMap((block) => block(editorOutput.columns).split('\n'));
    const visibleRows = Math.max(1, output.rows - 1 - editor.cursorRow());
    cursorTo(editorOutput, 0, 0);
    clearScreenDown(editorOutput);
    editor.draw(`${lines.slice(-visibleRows).join('\n')}\n`, row);
  }

  output.on('resize', resize);
  editorOutput.write(BRACKETED_PASTE_ON);

  return {
    print,
    setPrompt(prompt) {
      if (!isClosed) editor.setPrompt(prompt);
    },
    insert: editor.insert,
    close() {
      isClosed = true;
      output.off('resize', resize);
      jobControl.close();
      const unfinishedLine = editor.close();
      editorOutput.write(BRACKETED_PASTE_OFF);
      editorOutput.flush();
      return unfinishedLine;
    },
  };
}
