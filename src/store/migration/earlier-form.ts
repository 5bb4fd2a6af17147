/** How releases before the data version stored messages: keys, entries, and their conversion. Pure. */
import { directChannel } from '../channels.ts';
import { encodeId, MARK_LENGTH } from '../log/entry.ts';

export function earlierKeys(prefix: string) {
  const log = (base: string) => ({ list: base, meta: `${base}:meta`, keys: `${base}:keys` });
  return {
    nodes: `${prefix}nodes`,
    broadcasts: log(`${prefix}{broadcasts}`),
    conversation: (pair: string) => log(`${prefix}conversation:{${pair}}`),
    inbox(username: string) {
      const base = `${prefix}inbox:{${username}}`;
      const [list, meta, friends] = [base, `${base}:meta`, `${base}:friends`];
      const conversations = `${prefix}conversations:{${username}}`;
      const others = ['ids', 'senders', 'mail', 'heavy'].map((name) => `${base}:${name}`);
      return { list, meta, friends, conversations, all: [list, meta, friends, conversations, ...others] };
    },
  };
}

/** For each kind of key, what may stand behind the braces. */
const RESTS: Record<string, RegExp> = {
  ...{ account: /^$/, sessions: /^$/, conversations: /^$/, 'limit:send': /^$/, online: /^$/ },
  session: /^:[^:]+$/,
  conversation: /^(|:meta|:keys)$/,
  inbox: /^(|:meta|:ids|:senders|:mail|:friends|:heavy)$/,
};

/** A key of the earlier form: what it is of, and the name in its braces. Undefined for all other keys. */
export function parseEarlierKey(key: string): { kind: string; name: string; rest: string } | undefined {
  const [, kind = '', name = '', rest = ''] = /^([a-z:]+):\{([^}]*)\}(.*)$/.exec(key) ?? [];
  if (!RESTS[kind]?.test(rest) || (kind === 'online' && !/^\d{1,2}$/.test(name))) return undefined;
  return { kind, name, rest: rest.slice(1) };
}

/** `note`: an idempotency digest in a channel's log; the count of received messages in an inbox. */
type EarlierEntry = {
  origin: string;
  note: string;
  message: { id: string; from?: string; to?: string; text?: string; seq?: number };
};

function parseEarlierEntry(raw: string): EarlierEntry {
  const note = raw.indexOf(' ') + 1;
  const json = raw.indexOf(' ', note) + 1;
  return {
    origin: raw.slice(0, note - 1),
    note: raw.slice(note, json - 1),
    message: JSON.parse(raw.slice(json)) as EarlierEntry['message'],
  };
}

/** A converted entry, and what is counted of it. */
export type Converted = {
  line: string;
  id: string;
  from: string;
  channel: string;
  kind: 'message' | 'tombstone';
};

const bodyOf = ({ text }: EarlierEntry['message']): string => JSON.stringify({ text });

/** An entry of a channel's log. */
export function convertEntry(raw: string): Converted {
  const { origin, note, message } = parseEarlierEntry(raw);
  const id = encodeId(message.id)!;
  const { from = '-', seq = 0 } = message;
  const line = `1m ${id} ${seq} ${seq} ${origin} ${note} ${from} ${bodyOf(message)}`;
  return { line, id, from, channel: '', kind: 'message' };
}

/** An entry of an inbox. */
export function convertInboxEntry(raw: string): Converted {
  const { origin, note, message } = parseEarlierEntry(raw);
  const id = encodeId(message.id)!;
  if (origin === '!') {
    const line = `- ${note} 1t ${id} 0 0 - - - {}`;
    return { line, id, from: '-', channel: '-', kind: 'tombstone' };
  }
  const { from = '-', to = '-', seq = 0 } = message;
  const channel = directChannel(from, to);
  const line = `${channel} ${note} 1m ${id} ${seq} ${seq} ${origin} - ${from} ${bodyOf(message)}`;
  return { line, id, from, channel, kind: 'message' };
}

export const markOfId = (id: string): string => id.slice(-MARK_LENGTH);
