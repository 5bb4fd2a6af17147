/** Shows what happens while the chat screen is open: live updates, and the outcome of what the user sends. */
import type { ChatView } from './chat-view.ts';
import type { ChatContext } from './context.ts';
import type { Conversation } from './conversation.ts';
import { gapText, waitText } from './i18n.ts';
import type { LiveUpdate } from './live-state.ts';
import type { Outcome } from './outbox.ts';
import { explain } from './problems.ts';
import { sanitizeLine } from './sanitize.ts';

const NAMES_SHOWN = 5;
/** With more users online, presence notices would drown the chat. */
const MAX_USERS_FOR_NOTICES = 50;

export function createOutcomeHandler(context: ChatContext, view: ChatView, conversation: Conversation) {
  const { live, terminal } = context;
  const { say, language } = terminal;

  return (outcome: Outcome): void => {
    if (outcome.kind === 'sent') {
      view.message(outcome.message);
      if (live.isDisconnected()) live.reconnect();
    } else if (outcome.kind === 'refused') {
      const reason = explain(outcome.problem, language);
      view.warn(say('notSent', { text: sanitizeLine(outcome.outgoing.text), reason }));
    } else if (outcome.problem.code === 'too_many_requests') {
      view.warn(say('slowDown', { wait: waitText(outcome.problem.retryAfterSeconds, say) }));
    }
    conversation.updatePrompt();
  };
}

export function createUpdateHandler(
  context: ChatContext,
  view: ChatView,
  conversation: Conversation,
  onEnded: () => void,
) {
  const { live, outbox, me, terminal } = context;
  const { say } = terminal;

  function showPresence(key: 'cameOnline' | 'wentOffline', names: string[]): void {
    const others = names.filter((name) => name !== me).map(sanitizeLine);
    if (others.length === 0 || live.presence.total() > MAX_USERS_FOR_NOTICES) return;
    const more = others.length - NAMES_SHOWN;
    const listed = others.slice(0, NAMES_SHOWN);
    if (more > 0) listed.push(say('andMore', { count: more }));
    view.notice(say(key, { names: listed.join(say('comma')) }));
  }

  function showConnection(isDisconnected: boolean): void {
    if (isDisconnected) view.warn(say('disconnected'));
    else {
      view.notice(say('reconnected'));
      outbox.retryNow();
    }
    conversation.updatePrompt();
  }

  return (update: LiveUpdate): void => {
    switch (update.kind) {
      case 'message':
        conversation.showUnseen();
        break;
      case 'presence':
        showPresence('cameOnline', update.online);
        showPresence('wentOffline', update.offline);
        break;
      case 'gap':
        view.warn(gapText(update.reason, say));
        break;
      case 'connection':
        showConnection(update.isDisconnected);
        break;
      case 'ended':
        onEnded();
        break;
    }
  };
}
