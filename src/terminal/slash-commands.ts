/** The commands of the chat screen, as a table: `/help` shows it, Tab completes from it. */
import { type ChatContext, fetchHistory, lookOf, shownName } from './context.ts';
import { type Block, messageBlocks, ruleBlock } from './format-message.ts';
import type { TextKey } from './i18n.ts';
import { EVERYBODY } from './outbox.ts';
import { explain } from './problems.ts';
import { sanitizeLine } from './sanitize.ts';

export type Next = 'menu' | 'quit' | 'ended';
/** What the commands of the screen can do with it. */
export type Chat = {
  person: ChatContext;
  target(): string;
  talkTo(to: string): Promise<void>;
  send(to: string, text: string): void;
  print(...blocks: Block[]): void;
  notice(text: string): void;
  /** `/dm` could not be carried out. */
  notThere(reason: string): void;
  leave(next: Next): void;
};

export type Command = { leaves: boolean; run: () => Promise<void> };
type Entry = {
  shown: string;
  help: TextKey;
  leaves?: true;
  run: (chat: Chat, rest: string) => Promise<void> | void;
};

const PAGE_MESSAGES = 20;

export function createCommands(chat: Chat) {
  const { parley, feed, terminal } = chat.person;
  const { say, style, language } = terminal;
  const look = lookOf(chat.person);
  /** The oldest that was shown, by target: /history goes on before it. */
  const shownFrom = new Map<string, number>();

  const COMMANDS: Record<string, Entry> = {
    '/online': {
      shown: '/online',
      help: 'helpOnline',
      run: () => {
        const names = feed.people
          .names()
          .map((name) => (name === chat.person.me ? say('you') : sanitizeLine(name)));
        const more = feed.people.total() - names.length;
        if (more > 0) names.push(say('andMore', { count: more }));
        chat.notice(say('online', { count: feed.people.total(), names: names.join(', ') }));
      },
    },
    '/dm': {
      shown: '/dm name [text]',
      help: 'helpDm',
      run: async (_, rest) => {
        const [, name = '', text = ''] = /^(\S*)\s*(.*)$/s.exec(rest) ?? [];
        if (name === '') return chat.notThere(say('needsName'));
        const { data: user, problem } = await parley.getUser(name);
        if (problem) return chat.notThere(`${sanitizeLine(name)}: ${explain(problem, language)}`);
        if (text === '') await chat.talkTo(user.username);
        else chat.send(user.username, text);
      },
    },
    '/all': {
      shown: '/all [text]',
      help: 'helpAll',
      run: (_, rest) => (rest === '' ? chat.talkTo(EVERYBODY) : chat.send(EVERYBODY, rest)),
    },
    '/history': {
      shown: '/history',
      help: 'helpHistory',
      run: async () => {
        const to = chat.target();
        const before = shownFrom.get(to);
        if (before === 1) return chat.notice(say('noMore'));
        const { data, problem } = await fetchHistory(chat.person, to, {
          limit: PAGE_MESSAGES,
          ...(before !== undefined && { before }),
        });
        if (problem) return chat.notice(explain(problem, language));
        const oldest = data.messages[0];
        if (!oldest) return chat.notice(say(before === undefined ? 'noHistory' : 'noMore'));
        shownFrom.set(to, data.hasMore ? oldest.seq : 1);
        chat.print(
          ruleBlock(say('historyOf', { name: shownName(to, terminal) }), style),
          ...messageBlocks(data.messages, look),
          ruleBlock('', style),
        );
      },
    },
    '/mailbox': {
      shown: '/mailbox',
      help: 'helpMailbox',
      run: async () => {
        const { data, problem } = await parley.getMailbox();
        if (problem) return chat.notice(explain(problem, language));
        if (data.messages.length === 0) return chat.notice(say('mailboxEmpty'));
        chat.print(ruleBlock(say('mailbox'), style), ...messageBlocks(data.messages, look));
        feed.seen(data.messages);
      },
    },
    '/menu': { shown: '/menu', help: 'helpMenu', leaves: true, run: () => chat.leave('menu') },
    '/help': {
      shown: '/help',
      help: 'helpHelp',
      run: () => {
        const lines = [...Object.values(COMMANDS), { shown: '//text', help: 'helpSlash' as const }];
        const width = Math.max(...lines.map(({ shown }) => shown.length)) + 2;
        chat.print(() =>
          lines
            .map(({ shown, help }) => `       ${style('bold', shown.padEnd(width))}${say(help)}`)
            .join('\n'),
        );
      },
    },
    '/quit': { shown: '/quit', help: 'helpQuit', leaves: true, run: () => chat.leave('quit') },
  };

  return {
    /** Undefined: this is a text, not a command. */
    read(line: string): Command | undefined {
      if (!line.startsWith('/') || line.startsWith('//')) return undefined;
      const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
      const entry = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
      return {
        leaves: entry?.leaves ?? false,
        run: async () => {
          if (entry) await entry.run(chat, rest.trimEnd());
          else chat.notice(say('unknownCommand', { name: sanitizeLine(name) }));
        },
      };
    },
    complete(line: string): string[] {
      const names = line.startsWith('/dm ')
        ? feed.people.names().map((name) => `/dm ${name} `)
        : Object.keys(COMMANDS);
      return line.startsWith('/') ? names.filter((name) => name.startsWith(line)) : [];
    },
  };
}
