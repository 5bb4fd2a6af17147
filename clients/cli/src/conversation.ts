/** The target of the input, everybody or one user, and the messages shown on the chat screen. */
import type { ChatView } from './chat-view.ts';
import { type ChatContext, fetchHistory, shownName } from './context.ts';

export type Conversation = ReturnType<typeof createConversation>;

const MAX_CHARACTERS = 4_000;
/** Shown as context when a conversation is opened. */
const RECENT_MESSAGES = 8;

export function createConversation(context: ChatContext, view: ChatView, to: string) {
  const { live, outbox, terminal } = context;
  const { say } = terminal;
  let target = to;
  /** New messages are shown below the history, so they wait for it. */
  let isHistoryShown = false;
  let isClosed = false;

  const updatePrompt = (): void => view.prompt(target);

  async function switchTo(next: string): Promise<void> {
    target = next;
    updatePrompt();
    const { data } = await fetchHistory(context, next, { limit: RECENT_MESSAGES });
    const name = shownName(next, terminal);
    const unseen = new Set(live.unseen().map(({ id }) => id));
    const recent = data?.messages.filter(({ id }) => !unseen.has(id)) ?? [];
    if (recent.length > 0) view.messages(recent, name);
    view.notice(say('nowTo', { name }));
  }

  function showUnseen(title?: string): void {
    const messages = [...live.unseen()];
    if (messages.length === 0 || !isHistoryShown || isClosed) return;
    view.messages(messages, title);
    live.markSeen(messages);
  }

  return {
    target: (): string => target,
    updatePrompt,
    switchTo,
    showUnseen: (): void => showUnseen(),

    /** Shows the recent history, and below it the messages that arrived before. */
    async open(): Promise<void> {
      await switchTo(to);
      isHistoryShown = true;
      showUnseen(say('newMessages'));
    },

    send(receiver: string, text: string): void {
      if (isClosed) return;
      const count = [...text].length;
      if (count > MAX_CHARACTERS) {
        view.warn(say('tooLong', { count }));
        view.insert(text); // back into the input line, to be shortened
        return;
      }
      outbox.send({ to: receiver, text });
      live.reconnect();
      updatePrompt();
    },

    /** From now on nothing is sent or marked as seen. */
    close(): void {
      isClosed = true;
    },
  };
}
