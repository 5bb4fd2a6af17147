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

export type Command = { endsChat: boolean; run: () => Promise<void> };
type Entry = {
  usage: string;
  help: TextKey;
  endsChat?: true;
  run: (chat: Chat, rest: string) => Promise<void> | void;
};

const PAGE_MESSAGES = 20;

export function createCommands(chat: Chat) {
  const { parley, live, terminal } = chat.context;
  const { say, style, language } = terminal;
  const renderOptions = renderOptionsOf(chat.context);
  /** The seq of the oldest message shown by /history, by target; the next /history continues before it. */
  const oldestShown = new Map<string, number>();

  const COMMANDS: Record<string, Entry> = {
    '/online': {
      usage: '/online',
      help: 'helpOnline',
      run: () => {
        const names = live.presence
          .names()
          .map((name) => (name === chat.context.me ? say('you') : sanitizeLine(name)));
        const more = live.presence.total() - names.length;
        if (more > 0) names.push(say('andMore', { count: more }));
        chat.notice(say('online', { count: live.presence.total(), names: names.join(say('comma')) }));
      },
    },
    '/dm': {
      usage: '/dm name [text]',
      help: 'helpDm',
      run: async (_, rest) => {
        const [, name = '', text = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
        if (name === '') return chat.onDmFailed(say('needsName'));
        const { data: user, problem } = await parley.getUser(name);
        if (problem) return chat.onDmFailed(`${sanitizeLine(name)}: ${explain(problem, language)}`);
        if (text === '') await chat.switchTo(user.username);
        else chat.send(user.username, text);
      },
    },
    '/all': {
      usage: '/all [text]',
      help: 'helpAll',
      run: (_, rest) => (rest === '' ? chat.switchTo(EVERYBODY) : chat.send(EVERYBODY, rest)),
    },
    '/history': {
      usage: '/history',
      help: 'helpHistory',
      run: async () => {
        const to = chat.target();
        const before = oldestShown.get(to);
        if (before === 1) return chat.notice(say('noMore'));
        const { data, problem } = await fetchHistory(chat.context, to, {
          limit: PAGE_MESSAGES,
          ...(before !== undefined && { before }),
        });
        if (problem) return chat.notice(explain(problem, language));
        const oldest = data.messages[0];
        if (!oldest) return chat.notice(say(before === undefined ? 'noHistory' : 'noMore'));
        oldestShown.set(to, data.hasMore ? oldest.seq : 1);
        chat.print(
          ruleBlock(say('historyOf', { name: shownName(to, terminal) }), style),
          ...messageBlocks(data.messages, renderOptions),
          ruleBlock('', style),
        );
      },
    },
    '/mailbox': {
      usage: '/mailbox',
      help: 'helpMailbox',
      run: async () => {
        const { data, problem } = await parley.getMailbox();
        if (problem) return chat.notice(explain(problem, language));
        if (data.messages.length === 0) return chat.notice(say('mailboxEmpty'));
        chat.print(ruleBlock(say('mailbox'), style), ...messageBlocks(data.messages, renderOptions));
        live.markSeen(data.messages);
      },
    },
    '/menu': { usage: '/menu', help: 'helpMenu', endsChat: true, run: () => chat.leave('menu') },
    '/help': {
      usage: '/help',
      help: 'helpHelp',
      run: () => {
        const lines = [...Object.values(COMMANDS), { usage: '//text', help: 'helpSlash' as const }];
        const width = Math.max(...lines.map(({ usage }) => usage.length)) + 2;
        chat.print(() =>
          lines
            .map(({ usage, help }) => `       ${style('bold', usage.padEnd(width))}${say(help)}`)
            .join('\n'),
        );
      },
    },
    '/quit': { usage: '/quit', help: 'helpQuit', endsChat: true, run: () => chat.leave('quit') },
  };

  return {
    /** Returns undefined if the line is a message, not a command. */
    read(line: string): Command | undefined {
      if (!line.startsWith('/') || line.startsWith('//')) return undefined;
      const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
      const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
      return {
        endsChat: entry?.endsChat ?? false,
        run: async () => {
          if (entry) await entry.run(chat, rest.trimEnd());
          else chat.notice(say('unknownCommand', { name: sanitizeLine(name) }));
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
