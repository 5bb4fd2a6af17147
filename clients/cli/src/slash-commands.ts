/** The commands of the chat screen, as one table for execution, `/help` and Tab completion. */
import { type ChatContext, fetchHistory, renderOptionsOf, shownName } from './context.ts';
import { type Block, messageBlocks, ruleBlock } from './format-message.ts';
import type { TextKey } from './i18n.ts';
import { EVERYBODY } from './outbox.ts';
import { explain } from './problems.ts';
import { sanitizeLine } from './sanitize.ts';

export type Next = 'menu' | 'quit' | 'ended';
/** The parts of the chat screen that commands use. */
export type Chat = {
  context: ChatContext;
  target(): string;
  switchTo(to: string): Promise<void>;
  send(to: string, text: string): void;
  print(...blocks: Block[]): void;
  notice(text: string): void;
  /** Reports why `/dm` failed, and drops the lines entered after it. */
  onDmFailed(reason: string): void;
  leave(next: Next): void;
};
/** `oldestShown`: the seq of the oldest message shown by /history, by target; the next /history continues before it. */
type CommandContext = Chat & { oldestShown: Map<string, number> };

export type Command = { endsChat: boolean; run: () => Promise<void> };
type Entry = {
  usage: string;
  help: TextKey;
  endsChat?: true;
  run: (chat: CommandContext, rest: string) => Promise<void> | void;
};

const PAGE_MESSAGES = 20;

const COMMANDS: Record<string, Entry> = {
  '/online': { usage: '/online', help: 'helpOnline', run: showOnline },
  '/dm': { usage: '/dm name [text]', help: 'helpDm', run: writeTo },
  '/all': { usage: '/all [text]', help: 'helpAll', run: writeToEverybody },
  '/history': { usage: '/history', help: 'helpHistory', run: showHistory },
  '/mailbox': { usage: '/mailbox', help: 'helpMailbox', run: showMailbox },
  '/menu': { usage: '/menu', help: 'helpMenu', endsChat: true, run: (chat) => chat.leave('menu') },
  '/help': { usage: '/help', help: 'helpHelp', run: showHelp },
  '/quit': { usage: '/quit', help: 'helpQuit', endsChat: true, run: (chat) => chat.leave('quit') },
};

export function createCommands(chat: Chat) {
  const { live, terminal } = chat.context;
  const context: CommandContext = { ...chat, oldestShown: new Map() };

  return {
    /** Returns undefined if the line is a message, not a command. */
    read(line: string): Command | undefined {
      if (!line.startsWith('/') || line.startsWith('//')) return undefined;
      const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
      const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
      return {
        endsChat: entry?.endsChat ?? false,
        run: async () => {
          if (entry) await entry.run(context, rest.trimEnd());
          else chat.notice(terminal.say('unknownCommand', { name: sanitizeLine(name) }));
        },
      };
    },
    complete(line: string): string[] {
      const names = line.startsWith('/dm ')
        ? live.presence.names().map((name) => `/dm ${name} `)
        : Object.keys(COMMANDS);
      return line.startsWith('/') ? names.filter((name) => name.startsWith(line)) : [];
    },
  };
}

function showOnline({ context, notice }: CommandContext): void {
  const { me, live, terminal } = context;
  const { say } = terminal;
  const names = live.presence.names().map((name) => (name === me ? say('you') : sanitizeLine(name)));
  const more = live.presence.total() - names.length;
  if (more > 0) names.push(say('andMore', { count: more }));
  notice(say('online', { count: live.presence.total(), names: names.join(say('comma')) }));
}

async function writeTo(chat: CommandContext, rest: string): Promise<void> {
  const { parley, terminal } = chat.context;
  const [, name = '', text = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
  if (name === '') return chat.onDmFailed(terminal.say('needsName'));
  const { data: user, problem } = await parley.getUser(name);
  if (problem) return chat.onDmFailed(`${sanitizeLine(name)}: ${explain(problem, terminal.language)}`);
  if (text === '') await chat.switchTo(user.username);
  else chat.send(user.username, text);
}

function writeToEverybody(chat: CommandContext, rest: string): Promise<void> | void {
  return rest === '' ? chat.switchTo(EVERYBODY) : chat.send(EVERYBODY, rest);
}

async function showHistory(chat: CommandContext): Promise<void> {
  const { context, oldestShown, notice } = chat;
  const { say, style, language } = context.terminal;
  const to = chat.target();
  const before = oldestShown.get(to);
  if (before === 1) return notice(say('noMore'));
  const { data, problem } = await fetchHistory(context, to, {
    limit: PAGE_MESSAGES,
    ...(before !== undefined && { before }),
  });
  if (problem) return notice(explain(problem, language));
  const oldest = data.messages[0];
  if (!oldest) return notice(say(before === undefined ? 'noHistory' : 'noMore'));
  oldestShown.set(to, data.hasMore ? oldest.seq : 1);
  chat.print(
    ruleBlock(say('historyOf', { name: shownName(to, context.terminal) }), style),
    ...messageBlocks(data.messages, renderOptionsOf(context)),
    ruleBlock('', style),
  );
}

async function showMailbox({ context, notice, print }: CommandContext): Promise<void> {
  const { parley, live, terminal } = context;
  const { say, style, language } = terminal;
  const { data, problem } = await parley.getMailbox();
  if (problem) return notice(explain(problem, language));
  if (data.messages.length === 0) return notice(say('mailboxEmpty'));
  print(ruleBlock(say('mailbox'), style), ...messageBlocks(data.messages, renderOptionsOf(context)));
  live.markSeen(data.messages);
}

function showHelp({ context, print }: CommandContext): void {
  const { say, style } = context.terminal;
  const lines = [...Object.values(COMMANDS), { usage: '//text', help: 'helpSlash' as const }];
  const width = Math.max(...lines.map(({ usage }) => usage.length)) + 2;
  print(() =>
    lines.map(({ usage, help }) => `       ${style('bold', usage.padEnd(width))}${say(help)}`).join('\n'),
  );
}
