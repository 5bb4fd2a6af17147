/** Ctrl-Z on the chat screen: suspends the whole job (`npm run chat` is several processes), not only this process. */
import type { ReadStream } from 'node:tty';
import { BRACKETED_PASTE_OFF, BRACKETED_PASTE_ON } from './bracketed-paste.ts';
import type { EditorOutput } from './editor-output.ts';
import type { LineEditor } from './line-editor.ts';

/** Without a job-control shell SIGTSTP has no effect, so the screen resumes by itself after this time. */
const SUSPEND_GRACE_MS = 50;

export function createJobControl(input: ReadStream, output: EditorOutput, editor: LineEditor) {
  let isDrawn = true;
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** On SIGCONT, or when nothing was suspended. Both may happen; a line that is already drawn is redrawn in place. */
  function resume(): void {
    clearTimeout(timer);
    input.setRawMode(false); // otherwise Node assumes that raw mode is still set
    input.setRawMode(true);
    const row = editor.cursorRow();
    if (isDrawn) editor.clear(row);
    editor.draw(BRACKETED_PASTE_ON, row);
    isDrawn = true;
  }
  process.on('SIGCONT', resume);

  return {
    suspend(): void {
      editor.clear(editor.cursorRow());
      output.write(BRACKETED_PASTE_OFF);
      output.flush();
      isDrawn = false;
      input.setRawMode(false);
      process.kill(0, 'SIGTSTP');
      timer = setTimeout(resume, SUSPEND_GRACE_MS);
    },
    close(): void {
      process.off('SIGCONT', resume);
      clearTimeout(timer);
    },
  };
}
