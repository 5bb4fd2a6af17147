/**
 * Runs the chat screen. Input goes to one target, everybody or one user; messages from all conversations are shown. The
 * user's own messages are shown once the server has stored them. Resolves to where to go next.
 */
import { type ChatContext, fetchHistory, renderOptionsOf, shownName } from './context.ts';
import { messageBlock, messageBlocks, noticeBlock, ruleBlock } from './format-message.ts';
import { gapText, waitText } from './i18n.ts';
import type { LiveUpdate } from './live-state.ts';
import { EVERYBODY, type Outcome } from './outbox.ts';
import { explain } from './problems.ts';
import { sanitizeLine } from './sanitize.ts';
import { openScreen } from './screen.ts';
import { createCommands, type Next } from './slash-commands.ts';

const MAX_CHARACTERS = 4_000;
/** Shown as context when a conversation is opened. */
const RECENT_MESSAGES = 8;
const NAMES_SHOWN = 5;
/** With more users online, presence notices would drown the chat. */
const MAX_USERS_FOR_NOTICES = 50;

export async function chat(context: ChatContext, to: string): Promise<Next> {
  const { live, outbox, terminal } = context;
  const { say, style, language, input, output } = terminal;
  const renderOptions = renderOptionsOf(context);
  let target = to;
  /** New messages are shown below the history, so they wait for it. */
  let isHistoryShown = false;
  let isClosed = false;
  /** Lines entered but not executed yet; the first one is running. */
  const queuedLines: string[] = [];
  let finish: (next: Next) => void = () => {};
  const result = new Promise<Next>((resolve) => {
    finish = resolve;
  });

  const screen = openScreen({
    ...{ input, output },
    onLine: (line) => void onLine(line),
    onExit: () => finish('quit'),
    complete: (line) => commands.complete(line),
  });
  const print = screen.print;
  const notice = (text: string): void => print(noticeBlock('·', text, 'dim', style));
  const warn = (text: string): void => print(noticeBlock('!', text, 'yellow', style));

  function prompt(): void {
    // Usernames cannot contain an arrow, so no user can impersonate everybody.
    const name = target === EVERYBODY ? shownName(target, terminal) : `→ ${shownName(target, terminal)}`;
    const count = outbox.waiting().length;
    const label = !live.isDisconnected()
      ? name
      : count > 0
        ? say('stateQueued', { name, count })
        : say('stateDisconnected', { name });
    screen.setPrompt(`${style(['bold', live.isDisconnected() ? 'yellow' : 'cyan'], `${label} ›`)} `);
  }

  async function switchTo(next: string): Promise<void> {
    target = next;
    prompt();
    const { data } = await fetchHistory(context, next, { limit: RECENT_MESSAGES });
    const name = shownName(next, terminal);
    const unseen = new Set(live.unseen().map(({ id }) => id));
    const recent = data?.messages.filter(({ id }) => !unseen.has(id)) ?? [];
    if (recent.length > 0) print(ruleBlock(name, style), ...messageBlocks(recent, renderOptions));
    notice(say('nowTo', { name }));
  }

  function send(receiver: string, text: string): void {
    if (isClosed) return;
    const count = [...text].length;
    if (count > MAX_CHARACTERS) {
      warn(say('tooLong', { count }));
      screen.insert(text); // back into the input line, to be shortened
      return;
    }
    outbox.send({ to: receiver, text });
    live.reconnect();
    prompt();
  }

  async function execute(line: string): Promise<void> {
    const command = commands.read(line);
    if (command) return command.run();
    const text = line.startsWith('//') ? line.slice(1) : line;
    if (text.trim() !== '') send(target, text);
  }

  /**
   * Executes lines in order, so that text entered right after `/dm name` goes to that user. Only commands that end the
   * chat run at once.
   */
  async function onLine(line: string): Promise<void> {
    if (commands.read(line)?.endsChat) return execute(line);
    if (queuedLines.push(line) > 1) return;
    for (let next = queuedLines[0]; next !== undefined && !isClosed; next = queuedLines[0]) {
      await execute(next);
      if (!isClosed) queuedLines.shift();
    }
  }

  /** Lines entered after a failed `/dm` were meant for that user and must not go to anybody else. */
  function onDmFailed(reason: string): void {
    notice(reason);
    for (const text of queuedLines.splice(1)) warn(say('notSent', { text: sanitizeLine(text), reason }));
  }

  function onOutcome(outcome: Outcome): void {
    if (outcome.kind === 'sent') {
      print(messageBlock(outcome.message, renderOptions));
      if (live.isDisconnected()) live.reconnect();
    } else if (outcome.kind === 'refused') {
      const reason = explain(outcome.problem, language);
      warn(say('notSent', { text: sanitizeLine(outcome.outgoing.text), reason }));
    } else if (outcome.problem.code === 'too_many_requests') {
      warn(say('slowDown', { wait: waitText(outcome.problem.retryAfterSeconds, say) }));
    }
    prompt();
  }

  function showUnseen(title?: string): void {
    const messages = [...live.unseen()];
    if (messages.length === 0 || !isHistoryShown || isClosed) return;
    print(...(title ? [ruleBlock(title, style)] : []), ...messageBlocks(messages, renderOptions));
    live.markSeen(messages);
  }

  function showPresence(key: 'cameOnline' | 'wentOffline', names: string[]): void {
    const others = names.filter((name) => name !== context.me).map(sanitizeLine);
    if (others.length === 0 || live.presence.total() > MAX_USERS_FOR_NOTICES) return;
    const more = others.length - NAMES_SHOWN;
    const listed = others.slice(0, NAMES_SHOWN);
    if (more > 0) listed.push(say('andMore', { count: more }));
    notice(say(key, { names: listed.join(say('comma')) }));
  }

  function onUpdate(update: LiveUpdate): void {
    if (update.kind === 'message') showUnseen();
    else if (update.kind === 'presence') {
      showPresence('cameOnline', update.online);
      showPresence('wentOffline', update.offline);
    } else if (update.kind === 'gap') warn(gapText(update.reason, say));
    else if (update.kind === 'ended') finish('ended');
    else {
      if (update.isDisconnected) warn(say('disconnected'));
      else {
        notice(say('reconnected'));
        outbox.retryNow();
      }
      prompt();
    }
  }

  const commands = createCommands({
    context,
    target: () => target,
    switchTo,
    send,
    print,
    notice,
    onDmFailed,
    leave: (next) => finish(next),
  });

  outbox.onOutcome(onOutcome);
  const unsubscribe = live.subscribe(onUpdate);
  if (live.end()) finish('ended');
  print(() => '');
  prompt();
  if (live.isDisconnected()) warn(say('disconnected'));
  // Not awaited: the user can type and leave while the server is slow.
  void switchTo(to).then(() => {
    isHistoryShown = true;
    showUnseen(say('newMessages'));
  });
  const next = await result;
  isClosed = true;
  unsubscribe();
  outbox.onOutcome(() => {});
  const unfinishedLine = screen.close();
  if (next !== 'menu') queuedLines.push(unfinishedLine);
  const reason = shownName(target, terminal);
  for (const text of queuedLines)
    if (text.trim() !== '') output.write(`${say('notSent', { text: sanitizeLine(text), reason })}\n`);
  return next;
}
