/** What the chat screen shows: messages, notices, warnings and the prompt. */
import type { Message } from '@parley-chat/client';
import { type ChatContext, renderOptionsOf, shownName } from './context.ts';
import { messageBlock, messageBlocks, noticeBlock, ruleBlock } from './format-message.ts';
import { EVERYBODY } from './outbox.ts';
import type { Screen } from './screen.ts';

export type ChatView = ReturnType<typeof createChatView>;

export function createChatView(context: ChatContext, { print, insert, setPrompt }: Screen) {
  const { live, outbox, terminal } = context;
  const { say, style } = terminal;
  const renderOptions = renderOptionsOf(context);

  return {
    print,
    /** Inserts text into the input line. */
    insert,
    notice: (text: string): void => print(noticeBlock('·', text, 'dim', style)),
    warn: (text: string): void => print(noticeBlock('!', text, 'yellow', style)),

    message: (message: Message): void => print(messageBlock(message, renderOptions)),
    /** `title`: of a rule above the messages. */
    messages(messages: readonly Message[], title?: string): void {
      const rule = title === undefined ? [] : [ruleBlock(title, style)];
      print(...rule, ...messageBlocks(messages, renderOptions));
    },

    /** Shows where input goes, whether the server is connected, and how many messages wait for it. */
    prompt(target: string): void {
      // Usernames cannot contain an arrow, so no user can impersonate everybody.
      const name = target === EVERYBODY ? shownName(target, terminal) : `→ ${shownName(target, terminal)}`;
      const count = outbox.waiting().length;
      const label = !live.isDisconnected()
        ? name
        : count > 0
          ? say('stateQueued', { name, count })
          : say('stateDisconnected', { name });
      setPrompt(`${style(['bold', live.isDisconnected() ? 'yellow' : 'cyan'], `${label} ›`)} `);
    },
  };
}
