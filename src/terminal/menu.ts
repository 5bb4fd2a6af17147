/**
 * The menu after login. It is alive: how many are online, how many messages are new and whether there is a connection
 * change while it is open.
 */
import { chat } from './chat.ts';
import { type ChatContext, fetchHistory, lookOf, shownName } from './context.ts';
import { type Block, messageBlocks, ruleBlock } from './format-message.ts';
import { EVERYBODY } from './outbox.ts';
import { explain } from './problems.ts';
import { askText, type Choice, choose, log } from './prompts.ts';
import { sanitizeLine } from './sanitize.ts';
import type { Next } from './slash-commands.ts';

export type End = 'quit' | 'logOut' | 'ended';

const PAGE_MESSAGES = 20;
const NAMES_SHOWN = 100;
const CONVERSATIONS_SHOWN = 50;

const ITEMS = [
  'talkToEverybody',
  'talkToSomebody',
  'whoIsOnline',
  'conversations',
  'mailbox',
  'history',
  'logOut',
  'quit',
] as const;
type Item = (typeof ITEMS)[number];

export async function menu(person: ChatContext): Promise<End> {
  const { terminal, feed } = person;
  const over = new AbortController();
  const lookAway = feed.look((news) => {
    if (news.kind === 'ended') over.abort();
  });
  const signal = over.signal;
  let last: Item = 'talkToEverybody';
  try {
    while (!feed.end()) {
      const item: Item | undefined = await choose<Item>({
        terminal,
        signal,
        watch: feed.look,
        message: () => summary(person),
        options: ITEMS.map((value) => ({
          value,
          get label() {
            return labelOf(value, person);
          },
        })),
        initialValue: last,
      });
      if (item === undefined) continue; // Esc: there is nothing behind this menu
      if (item === 'quit' || item === 'logOut') return item;
      last = item;
      const next = await SCREENS[item](person, signal);
      if (next === 'quit') return 'quit';
    }
    return 'ended';
  } finally {
    lookAway();
  }
}

const SCREENS: Record<
  Exclude<Item, 'logOut' | 'quit'>,
  (person: ChatContext, signal: AbortSignal) => Promise<Next>
> = {
  talkToEverybody: (person) => chat(person, EVERYBODY),
  async talkToSomebody(person, signal) {
    const to = await somebody(person, signal, () => person.terminal.say('toWhom'));
    return to === undefined ? 'menu' : chat(person, to);
  },
  async whoIsOnline(person, signal) {
    const to = await somebody(person, signal, () => whoIsThere(person));
    return to === undefined ? 'menu' : chat(person, to);
  },
  async conversations(person, signal) {
    const to = await conversation(person, signal, []);
    return to === undefined ? 'menu' : chat(person, to);
  },
  async mailbox(person) {
    const { terminal, feed } = person;
    const messages = feed.unseenMail();
    if (messages.length === 0) log.info(terminal.say('mailboxEmpty'), { output: terminal.output });
    else show(person, terminal.say('mailbox'), messageBlocks(messages, lookOf(person)));
    feed.seen(messages);
    return 'menu';
  },
  async history(person, signal) {
    const { say } = person.terminal;
    const to = await conversation(person, signal, [{ value: EVERYBODY, label: say('everybody') }]);
    return to === undefined ? 'menu' : readBack(person, signal, to);
  },
};

function summary({ me, feed, terminal: { say } }: ChatContext): string {
  const name = sanitizeLine(me);
  return feed.isAway() ? say('summaryAway', { name }) : say('summary', { name, count: feed.people.total() });
}

function whoIsThere({ feed: { people }, me, terminal: { say } }: ChatContext): string {
  const count = people.total() - (people.has(me) ? 1 : 0);
  return count > 0 ? say('onlineNow', { count }) : say('nobodyOnline');
}

function labelOf(item: Item, { feed, terminal: { say, style } }: ChatContext): string {
  const mail = feed.unseenMail().length;
  const news = { mailbox: mail, talkToEverybody: feed.unseen().length - mail }[item as string] ?? 0;
  return news > 0 ? `${say(item)} ${style('yellow', say('countNew', { count: news }))}` : say(item);
}

function show({ terminal: { output, style } }: ChatContext, title: string, blocks: Block[]): void {
  const lines = [ruleBlock(title, style), ...blocks, ruleBlock('', style)];
  output.write(`\n${lines.map((block) => block(output.columns)).join('\n')}\n`);
}

/** Those online, live: who comes is added, who goes is marked, and nothing moves under the cursor. */
async function somebody(
  person: ChatContext,
  signal: AbortSignal,
  message: () => string,
): Promise<string | undefined> {
  const { terminal, feed, me } = person;
  const { say } = terminal;
  const options: Choice<string>[] = [
    { value: '', label: say('back') },
    { value: EVERYBODY, label: say('somebodyElse') },
  ];
  const add = (): void => {
    for (const value of feed.people.names()) {
      if (value === me || options.length > NAMES_SHOWN || options.some((each) => each.value === value))
        continue;
      options.push({
        value,
        label: sanitizeLine(value),
        get hint() {
          return feed.people.has(value) ? '' : say('offline');
        },
      });
    }
  };
  add();
  const watch = (changed: () => void): (() => void) =>
    feed.look(() => {
      add();
      changed();
    });
  const chosen = await choose({ terminal, signal, watch, message, options });
  return chosen === EVERYBODY ? byName(person, signal) : chosen || undefined;
}

/** Somebody who may be offline, but must exist. */
async function byName({ terminal, parley }: ChatContext, signal: AbortSignal): Promise<string | undefined> {
  const { say, language, output } = terminal;
  const validate = (value: string): string | undefined => (value.trim() === '' ? say('needed') : undefined);
  for (let typed = ''; ; ) {
    const name = await askText({ terminal, signal, message: say('username'), initialValue: typed, validate });
    if (name === undefined) return undefined;
    const { data, problem } = await parley.getUser(name.trim());
    if (data) return data.username;
    log.warn(explain(problem, language), { output });
    typed = name;
  }
}

async function conversation(
  { terminal, parley }: ChatContext,
  signal: AbortSignal,
  first: Choice<string>[],
): Promise<string | undefined> {
  const { say, language, output } = terminal;
  const found: Choice<string>[] = [];
  let cursor: string | null | undefined;
  for (
    let pages = 0;
    pages < CONVERSATIONS_SHOWN && found.length < CONVERSATIONS_SHOWN && cursor !== null;
    pages += 1
  ) {
    const limit = CONVERSATIONS_SHOWN - found.length;
    const { data, problem } = await parley.listConversations({ limit, ...(cursor && { cursor }) });
    if (problem) {
      log.warn(explain(problem, language), { output });
      return undefined;
    }
    for (const { with: name, unread } of data.conversations) {
      const hint = unread > 0 ? say('countNew', { count: unread }) : '';
      found.push({ value: name, label: sanitizeLine(name), hint });
    }
    cursor = data.nextCursor; // a page may be short and not the last
  }
  if (found.length + first.length === 0) {
    log.info(say('noConversations'), { output });
    return undefined;
  }
  const options = [...first, ...found, { value: '', label: say('back') }];
  return (await choose({ terminal, signal, message: () => say('conversations'), options })) || undefined;
}

/** One page after the other, towards the beginning. */
async function readBack(person: ChatContext, signal: AbortSignal, to: string): Promise<Next> {
  const { terminal } = person;
  const { say, language, output } = terminal;
  const title = say('historyOf', { name: shownName(to, terminal) });
  for (let before: number | undefined; ; ) {
    const { data, problem } = await fetchHistory(person, to, {
      limit: PAGE_MESSAGES,
      ...(before && { before }),
    });
    if (problem) log.warn(explain(problem, language), { output });
    else if (data.messages.length === 0) log.info(say('noHistory'), { output });
    else show(person, title, messageBlocks(data.messages, lookOf(person)));
    before = data?.messages[0]?.seq ?? before;
    const next = await choose({
      terminal,
      signal,
      message: () => title,
      options: [
        ...(problem || data.hasMore ? [{ value: 'earlier', label: say('earlier') }] : []),
        { value: 'talk', label: say('talk') },
        { value: 'back', label: say('back') },
      ],
    });
    if (next === 'talk') return chat(person, to);
    if (next !== 'earlier') return 'menu';
  }
}
