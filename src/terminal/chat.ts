/**
 * The chat screen at work: what is typed goes to one target (everybody, or a person), everything that comes is shown,
 * whoever it is from. A message of one's own is shown when the server has it. Ends with where to go next.
 */
import { type ChatContext, fetchHistory, lookOf, shownName } from './context.ts';
import { messageBlock, messageBlocks, noticeBlock, ruleBlock } from './format-message.ts';
import type { LiveUpdate } from './live-state.ts';
import { EVERYBODY, type Outcome } from './outbox.ts';
import { explain } from './problems.ts';
import { sanitizeLine } from './sanitize.ts';
import { openScreen } from './screen.ts';
import { createCommands, type Next } from './slash-commands.ts';

const LONGEST_TEXT = 4_000;
/** Shown when somebody begins to talk, so that they know what it is about. */
const RECENT_MESSAGES = 8;
const NAMES_SHOWN = 5;
/** In a larger crowd somebody always comes or goes. */
const PRESENCE_TOLD_UP_TO = 50;

export async function chat(person: ChatContext, to: string): Promise<Next> {
  const { feed, outbox, terminal } = person;
  const { say, style, language, input, output } = terminal;
  const look = lookOf(person);
  let target = to;
  /** What was said before stands above what is new. */
  let isIntroduced = false;
  let isOver = false;
  /** Lines that were entered and are not carried out; the first is under way. */
  const typedAhead: string[] = [];
  let finish: (next: Next) => void = () => {};
  const finished = new Promise<Next>((resolve) => {
    finish = resolve;
  });

  const screen = openScreen({
    ...{ input, output },
    onLine: (line) => void enter(line),
    onLeave: () => finish('quit'),
    complete: (line) => commands.complete(line),
  });
  const print = screen.print;
  const notice = (text: string): void => print(noticeBlock('·', text, 'dim', style));
  const warn = (text: string): void => print(noticeBlock('!', text, 'yellow', style));

  function prompt(): void {
    // No name begins with an arrow, so nobody can pass for everybody.
    const name = target === EVERYBODY ? shownName(target, terminal) : `→ ${shownName(target, terminal)}`;
    const count = outbox.waiting().length;
    const shown = !feed.isAway()
      ? name
      : count > 0
        ? say('stateWaiting', { name, count })
        : say('stateAway', { name });
    screen.setPrompt(`${style(['bold', feed.isAway() ? 'yellow' : 'cyan'], `${shown} ›`)} `);
  }

  async function talkTo(next: string): Promise<void> {
    target = next;
    prompt();
    const { data } = await fetchHistory(person, next, { limit: RECENT_MESSAGES });
    const name = shownName(next, terminal);
    const waiting = new Set(feed.unseen().map(({ id }) => id));
    const recent = data?.messages.filter(({ id }) => !waiting.has(id)) ?? [];
    if (recent.length > 0) print(ruleBlock(name, style), ...messageBlocks(recent, look));
    notice(say('nowTo', { name }));
  }

  function send(receiver: string, text: string): void {
    if (isOver) return;
    const count = [...text].length;
    if (count > LONGEST_TEXT) {
      warn(say('tooLong', { count }));
      screen.type(text); // nothing that was typed is lost
      return;
    }
    outbox.send({ to: receiver, text });
    feed.hurry();
    prompt();
  }

  async function carryOut(line: string): Promise<void> {
    const command = commands.read(line);
    if (command) return command.run();
    const text = line.startsWith('//') ? line.slice(1) : line;
    if (text.trim() !== '') send(target, text);
  }

  /**
   * One line after another, so that what is typed right behind `/dm name` goes to that person. Only leaving does not
   * wait.
   */
  async function enter(line: string): Promise<void> {
    if (commands.read(line)?.leaves) return carryOut(line);
    if (typedAhead.push(line) > 1) return;
    for (let next = typedAhead[0]; next !== undefined && !isOver; next = typedAhead[0]) {
      await carryOut(next);
      if (!isOver) typedAhead.shift();
    }
  }

  /** What was typed behind a `/dm` that failed was for that person, and must not go to anybody else. */
  function notThere(reason: string): void {
    notice(reason);
    for (const text of typedAhead.splice(1)) warn(say('notSent', { text: sanitizeLine(text), reason }));
  }

  function onOutcome(outcome: Outcome): void {
    if (outcome.kind === 'sent') {
      print(messageBlock(outcome.message, look));
      if (feed.isAway()) feed.hurry();
    } else if (outcome.kind === 'refused') {
      const reason = explain(outcome.problem, language);
      warn(say('notSent', { text: sanitizeLine(outcome.letter.text), reason }));
    } else if (outcome.problem.code === 'too_many_requests') {
      warn(say('slowDown', { seconds: outcome.problem.retryAfterSeconds }));
    }
    prompt();
  }

  /** Everything that nobody has seen yet. */
  function showUnseen(title?: string): void {
    const messages = [...feed.unseen()];
    if (messages.length === 0 || !isIntroduced || isOver) return;
    print(...(title ? [ruleBlock(title, style)] : []), ...messageBlocks(messages, look));
    feed.seen(messages);
  }

  function tellPresence(key: 'came' | 'went', names: string[]): void {
    const others = names.filter((name) => name !== person.me).map(sanitizeLine);
    if (others.length === 0 || feed.people.total() > PRESENCE_TOLD_UP_TO) return;
    const more = others.length - NAMES_SHOWN;
    const shown = others.slice(0, NAMES_SHOWN);
    if (more > 0) shown.push(say('andMore', { count: more }));
    notice(say(key, { names: shown.join(', ') }));
  }

  function onNews(news: LiveUpdate): void {
    if (news.kind === 'message') showUnseen();
    else if (news.kind === 'presence') {
      tellPresence('came', news.online);
      tellPresence('went', news.offline);
    } else if (news.kind === 'gap') warn(say('missing', { reason: news.reason }));
    else if (news.kind === 'ended') finish('ended');
    else {
      if (news.isAway) warn(say('away'));
      else {
        notice(say('isBack'));
        outbox.hurry();
      }
      prompt();
    }
  }

  const commands = createCommands({
    person,
    target: () => target,
    talkTo,
    send,
    print,
    notice,
    notThere,
    leave: (next) => finish(next),
  });

  outbox.onOutcome(onOutcome);
  const lookAway = feed.look(onNews);
  if (feed.end()) finish('ended');
  print(() => '');
  prompt();
  if (feed.isAway()) warn(say('away'));
  // Not waited for: one may write, and leave, while the server takes its time.
  void talkTo(to).then(() => {
    isIntroduced = true;
    showUnseen(say('newMessages'));
  });
  const next = await finished;
  isOver = true;
  lookAway();
  outbox.onOutcome(() => {});
  const unfinished = screen.close();
  if (next !== 'menu') typedAhead.push(unfinished);
  const reason = shownName(target, terminal);
  for (const text of typedAhead)
    if (text.trim() !== '') output.write(`${say('notSent', { text: sanitizeLine(text), reason })}\n`);
  return next;
}
