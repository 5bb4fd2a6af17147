/**
 * Menus and questions, by @clack/prompts. What it does not tell apart, Esc and Ctrl-C, is told apart here: Esc goes
 * back, Ctrl-C and Ctrl-D leave. A question ends when its signal aborts.
 */
import type { Key } from 'node:readline';
import { intro, isCancel, log, outro, password, select, text } from '@clack/prompts';
import type { Terminal } from './terminal.ts';

/** The person leaves: unwinds whatever is open. */
export class Left extends Error {}

export type Choice<Value> = { value: Value; label: string; hint?: string; disabled?: boolean };
type Asking = { terminal: Terminal; signal?: AbortSignal };
type Question = Asking & { message: string };

async function ask<Value>(
  { terminal: { input, output }, signal }: Asking,
  prompt: (common: {
    input: Terminal['input'];
    output: Terminal['output'];
    signal: AbortSignal;
  }) => Promise<Value | symbol | undefined>,
): Promise<Value | undefined> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  let hasLeft = false;
  const onKey = (_: unknown, { ctrl, name }: Key): void => {
    if (!ctrl || (name !== 'c' && name !== 'd')) return;
    hasLeft = true;
    if (name === 'd') abort();
  };
  input.on('keypress', onKey);
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    const answer = await prompt({ input, output, signal: stop.signal });
    if (hasLeft) throw new Left();
    // A symbol is how it says that nothing was chosen.
    return isCancel(answer) ? undefined : (answer as Value);
  } finally {
    input.off('keypress', onKey);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * What the message and the options say may change while it is open: `watch` is given what to call then, and answers how
 * to stop watching. Options may come, but not go.
 */
export async function choose<Value extends string>(
  question: Asking & {
    message: () => string;
    options: Choice<Value>[];
    initialValue?: NoInfer<Value>;
    watch?: (changed: () => void) => () => void;
  },
): Promise<Value | undefined> {
  // A prompt draws itself again when the terminal's size changes; or when it is made to believe so.
  const unwatch = question.watch?.(() => void question.terminal.output.emit('resize'));
  try {
    return await ask<Value>(
      question,
      (common) =>
        select<string>({
          ...common,
          get message() {
            return question.message();
          },
          options: question.options,
          showInstructions: false,
          ...(question.initialValue !== undefined && { initialValue: question.initialValue }),
        }) as Promise<Value | symbol>, // one of the options' values
    );
  } finally {
    unwatch?.();
  }
}

export const askText = (
  question: Question & {
    placeholder?: string;
    initialValue?: string;
    validate: (value: string) => string | undefined;
  },
): Promise<string | undefined> =>
  ask<string>(question, (common) =>
    text({
      ...common,
      message: question.message,
      ...(question.placeholder !== undefined && { placeholder: question.placeholder }),
      ...(question.initialValue !== undefined && { initialValue: question.initialValue }),
      validate: (value) => question.validate(value ?? ''),
    }),
  );

export const askPassword = (
  question: Question & { validate: (value: string) => string | undefined },
): Promise<string | undefined> =>
  ask<string>(question, (common) =>
    password({ ...common, message: question.message, validate: (value) => question.validate(value ?? '') }),
  );

export { intro, log, outro };
