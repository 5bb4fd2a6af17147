/**
 * Runs the chat screen. Input goes to one target, everybody or one user; messages from all conversations are shown. The
 * user's own messages are shown once the server has stored them. Resolves to where to go next.
 */
import { createOutcomeHandler, createUpdateHandler } from './chat-updates.ts';
import { type ChatView, createChatView } from './chat-view.ts';
import { type ChatContext, shownName } from './context.ts';
import { type Conversation, createConversation } from './conversation.ts';
import { createLineQueue } from './line-queue.ts';
import { sanitizeLine } from './sanitize.ts';
import { openScreen } from './screen.ts';
import { createCommands, type Next } from './slash-commands.ts';
import type { Terminal } from './terminal.ts';

export async function chat(context: ChatContext, to: string): Promise<Next> {
  const { live, outbox, terminal } = context;
  const { say, input, output } = terminal;
  let leave: (next: Next) => void = () => {};
  const left = new Promise<Next>((resolve) => {
    leave = resolve;
  });

  const screen = openScreen({
    ...{ input, output },
    onLine: (line) => void lines.enter(line),
    onExit: () => leave('quit'),
    complete: (line) => lines.complete(line),
  });
  const view = createChatView(context, screen);
  const conversation = createConversation(context, view, to);
  const lines = createLineReader(context, view, conversation, leave);

  outbox.onOutcome(createOutcomeHandler(context, view, conversation));
  const unsubscribe = live.subscribe(createUpdateHandler(context, view, conversation, () => leave('ended')));
  if (live.end()) leave('ended');
  view.print(() => '');
  conversation.updatePrompt();
  if (live.isDisconnected()) view.warn(say('disconnected'));
  // Not awaited: the user can type and leave while the server is slow.
  void conversation.open();
  const next = await left;
  conversation.close();
  const unsent = lines.close();
  unsubscribe();
  outbox.onOutcome(() => {});
  const unfinishedLine = screen.close();
  reportUnsent(next === 'menu' ? unsent : [...unsent, unfinishedLine], conversation.target(), terminal);
  return next;
}

/** Executes the lines that the user enters: commands, and messages to the target. */
function createLineReader(
  context: ChatContext,
  view: ChatView,
  conversation: Conversation,
  leave: (next: Next) => void,
) {
  const { say } = context.terminal;
  const { target, switchTo, send } = conversation;
  const { print, notice, warn } = view;
  const queue = createLineQueue(execute);
  const commands = createCommands({
    ...{ context, target, switchTo, send, print, notice },
    onDmFailed,
    leave,
  });

  async function execute(line: string): Promise<void> {
    const command = commands.read(line);
    if (command) return command.run();
    const text = line.startsWith('//') ? line.slice(1) : line;
    if (text.trim() !== '') send(target(), text);
  }

  /** Lines entered after a failed `/dm` were meant for that user and must not go to anybody else. */
  function onDmFailed(reason: string): void {
    notice(reason);
    for (const text of queue.dropWaiting()) warn(say('notSent', { text: sanitizeLine(text), reason }));
  }

  return {
    /** Commands that end the chat run at once, all other lines in order. */
    enter: (line: string): Promise<void> => (commands.read(line)?.endsChat ? execute(line) : queue.add(line)),
    complete: commands.complete,
    close: queue.close,
  };
}

/** Prints lines that were not sent, so that the user can copy them. */
function reportUnsent(lines: readonly string[], target: string, terminal: Terminal): void {
  const reason = shownName(target, terminal);
  for (const line of lines)
    if (line.trim() !== '')
      terminal.output.write(`${terminal.say('notSent', { text: sanitizeLine(line), reason })}\n`);
}
