/**
 * Menus and questions, built on @clack/prompts, which treats Esc and Ctrl-C alike. Here Esc goes back, and Ctrl-C and
 * Ctrl-D quit. A question is cancelled when its signal aborts.
 */
import type { Key } from 'node:readline';
import { intro, isCancel, log, outro, password, select, text } from '@clack/prompts';
import type { Terminal } from './terminal.ts';

/** Thrown when the user quits, to unwind all open menus. */
export class UserExit extends Error {}

export type Choice<Value> = { value: Value; label: string; hint?: string; disabled?: boolean };
type PromptOptions = { terminal: Terminal; signal?: AbortSignal };
type Question = PromptOptions & { message: string };

async function ask<Value>(
  { terminal: { input, output }, signal }: PromptOptions,
  prompt: (common: {
    input: Terminal['input'];
    output: Terminal['output'];
    signal: AbortSignal;
  }) => Promise<Value | symbol | undefined>,
): Promise<Value | undefined> {
  const stop = new AbortController();
  const abort = (): void => stop.abort();
  let wantsExit = false;
  const onKey = (_: unknown, { ctrl, name }: Key): void => {
    if (!ctrl || (name !== 'c' && name !== 'd')) return;
    wantsExit = true;
    if (name === 'd') abort();
  };
  input.on('keypress', onKey);
  signal?.addEventListener('abort', abort);
  if (signal?.aborted) abort();
  try {
    const answer = await prompt({ input, output, signal: stop.signal });
    if (wantsExit) throw new UserExit();
    return isCancel(answer) ? undefined : (answer as Value);
  } finally {
    input.off('keypress', onKey);
    signal?.removeEventListener('abort', abort);
  }
}

/**
 * A menu whose message and options may change while it is open. `watch` receives a callback for changes and returns a
 * function that stops watching. Options may be added but not removed.
 */
export async function choose<Value extends string>(
  question: PromptOptions & {
    message: () => string;
    options: Choice<Value>[];
    initialValue?: NoInfer<Value>;
    watch?: (changed: () => void) => () => void;
  },
): Promise<Value | undefined> {
  // @clack/prompts has no redraw, but it redraws on `resize`.
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
        }) as Promise<Value | symbol>, // it resolves to the value of an option
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
