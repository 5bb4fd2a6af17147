/** The menu after login. The numbers of online users and new messages and the connection state update live. */
import { chat } from './chat.ts';
import { type ChatContext, fetchHistory, renderOptionsOf, shownName } from './context.ts';
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

export async function menu(context: ChatContext): Promise<End> {
  const { terminal, live } = context;
  const ended = new AbortController();
  const unsubscribe = live.subscribe((update) => {
    if (update.kind === 'ended') ended.abort();
  });
  const signal = ended.signal;
  let last: Item = 'talkToEverybody';
  try {
    while (!live.end()) {
      const item: Item | undefined = await choose<Item>({
        terminal,
        signal,
        watch: live.subscribe,
        message: () => summary(context),
        options: ITEMS.map((value) => ({
          value,
          get label() {
            return labelOf(value, context);
          },
        })),
        initialValue: last,
      });
      if (item === undefined) continue; // Esc: this is the top level
      if (item === 'quit' || item === 'logOut') return item;
      last = item;
      const next = await SCREENS[item](context, signal);
      if (next === 'quit') return 'quit';
    }
    return 'ended';
  } finally {
    unsubscribe();
  }
}

const SCREENS: Record<
  Exclude<Item, 'logOut' | 'quit'>,
  (context: ChatContext, signal: AbortSignal) => Promise<Next>
> = {
  talkToEverybody: (context) => chat(context, EVERYBODY),
  async talkToSomebody(context, signal) {
    const to = await choosePerson(context, signal, () => context.terminal.say('toWhom'));
    return to === undefined ? 'menu' : chat(context, to);
  },
  async whoIsOnline(context, signal) {
    const to = await choosePerson(context, signal, () => onlineMessage(context));
    return to === undefined ? 'menu' : chat(context, to);
  },
  async conversations(context, signal) {
    const to = await chooseConversation(context, signal, []);
    return to === undefined ? 'menu' : chat(context, to);
  },
  async mailbox(context) {
    const { terminal, live } = context;
    const messages = live.unseenMail();
    if (messages.length === 0) log.info(terminal.say('mailboxEmpty'), { output: terminal.output });
    else show(context, terminal.say('mailbox'), messageBlocks(messages, renderOptionsOf(context)));
    live.markSeen(messages);
    return 'menu';
  },
  async history(context, signal) {
    const { say } = context.terminal;
    const to = await chooseConversation(context, signal, [{ value: EVERYBODY, label: say('everybody') }]);
    return to === undefined ? 'menu' : browseHistory(context, signal, to);
  },
};

function summary({ me, live, terminal: { say } }: ChatContext): string {
  const name = sanitizeLine(me);
  return live.isDisconnected()
    ? say('summaryDisconnected', { name })
    : say('summary', { name, count: live.presence.total() });
}

function onlineMessage({ live: { presence }, me, terminal: { say } }: ChatContext): string {
  const count = presence.total() - (presence.has(me) ? 1 : 0);
  return count > 0 ? say('onlineNow', { count }) : say('nobodyOnline');
}

function labelOf(item: Item, { live, terminal: { say, style } }: ChatContext): string {
  const mail = live.unseenMail().length;
  const count = { mailbox: mail, talkToEverybody: live.unseen().length - mail }[item as string] ?? 0;
  return count > 0 ? `${say(item)} ${style('yellow', say('countNew', { count }))}` : say(item);
}

function show({ terminal: { output, style } }: ChatContext, title: string, blocks: Block[]): void {
  const lines = [ruleBlock(title, style), ...blocks, ruleBlock('', style)];
  output.write(`\n${lines.map((block) => block(output.columns)).join('\n')}\n`);
}

/** Lists online users, live: new ones are appended and leavers marked offline, so nothing moves under the cursor. */
async function choosePerson(
  context: ChatContext,
  signal: AbortSignal,
  message: () => string,
): Promise<string | undefined> {
  const { terminal, live, me } = context;
  const { say } = terminal;
  const options: Choice<string>[] = [
    { value: '', label: say('back') },
    { value: EVERYBODY, label: say('somebodyElse') },
  ];
  const add = (): void => {
    for (const value of live.presence.names()) {
      if (value === me || options.length > NAMES_SHOWN || options.some((each) => each.value === value))
        continue;
      options.push({
        value,
        label: sanitizeLine(value),
        get hint() {
          return live.presence.has(value) ? '' : say('offline');
        },
      });
    }
  };
  add();
  const watch = (changed: () => void): (() => void) =>
    live.subscribe(() => {
      add();
      changed();
    });
  const chosen = await choose({ terminal, signal, watch, message, options });
  return chosen === EVERYBODY ? askForPerson(context, signal) : chosen || undefined;
}

/** Asks for a username; the user may be offline, but must exist. */
async function askForPerson(
  { terminal, parley }: ChatContext,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { say, language, output } = terminal;
  const validate = (value: string): string | undefined => (value.trim() === '' ? say('required') : undefined);
  for (let initialValue = ''; ; ) {
    const name = await askText({ terminal, signal, message: say('username'), initialValue, validate });
    if (name === undefined) return undefined;
    const { data, problem } = await parley.getUser(name.trim());
    if (data) return data.username;
    log.warn(explain(problem, language), { output });
    initialValue = name;
  }
}

async function chooseConversation(
  { terminal, parley }: ChatContext,
  signal: AbortSignal,
  first: Choice<string>[],
): Promise<string | undefined> {
  const { say, language, output } = terminal;
  const conversations: Choice<string>[] = [];
  let cursor: string | null | undefined;
  for (
    let pages = 0;
    pages < CONVERSATIONS_SHOWN && conversations.length < CONVERSATIONS_SHOWN && cursor !== null;
    pages += 1
  ) {
    const limit = CONVERSATIONS_SHOWN - conversations.length;
    const { data, problem } = await parley.listConversations({ limit, ...(cursor && { cursor }) });
    if (problem) {
      log.warn(explain(problem, language), { output });
      return undefined;
    }
    for (const { with: name, unread } of data.conversations) {
      const hint = unread > 0 ? say('countNew', { count: unread }) : '';
      conversations.push({ value: name, label: sanitizeLine(name), hint });
    }
    cursor = data.nextCursor; // a short page is not necessarily the last
  }
  if (conversations.length + first.length === 0) {
    log.info(say('noConversations'), { output });
    return undefined;
  }
  const options = [...first, ...conversations, { value: '', label: say('back') }];
  return (await choose({ terminal, signal, message: () => say('conversations'), options })) || undefined;
}

/** Shows the history page by page, newest first. */
async function browseHistory(context: ChatContext, signal: AbortSignal, to: string): Promise<Next> {
  const { terminal } = context;
  const { say, language, output } = terminal;
  const title = say('historyOf', { name: shownName(to, terminal) });
  for (let before: number | undefined; ; ) {
    const { data, problem } = await fetchHistory(context, to, {
      limit: PAGE_MESSAGES,
      ...(before && { before }),
    });
    if (problem) log.warn(explain(problem, language), { output });
    else if (data.messages.length === 0) log.info(say('noHistory'), { output });
    else show(context, title, messageBlocks(data.messages, renderOptionsOf(context)));
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
    if (next === 'talk') return chat(context, to);
    if (next !== 'earlier') return 'menu';
  }
}
