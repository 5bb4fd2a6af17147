/** Entries as they are stored, and what both codecs, in TypeScript and in Lua, must read from them. */
import { directChannel } from '../../../src/store/channels.ts';

export type EntryVector = {
  name: string;
  channel: string;
  /** As in an inbox; without `channel received`, as in the log of the channel. */
  line: string;
  received: number;
  /** The letters of the type, the same in every version. */
  letters: string;
  type: 'message' | 'tombstone' | 'unknown';
  uuid: string;
  id: string;
  mark: string;
  sentAtMs: number;
  /** Position in the log of the channel. */
  seq: number;
  origin: string;
  from: string;
  /** Undefined unless it is a message. */
  json: string | undefined;
};

const IDS = [
  { uuid: '01a20795-5cc3-7418-8c86-0000deadbeef', id: 'AaIHlVzDdBiMhgAA3q2-7w', sentAtMs: 0x01a207955cc3 },
  { uuid: '00000000-0000-7000-8000-000000000000', id: 'AAAAAAAAcACAAAAAAAAAAA', sentAtMs: 0 },
  { uuid: '0000ffff-ffff-7fff-bfff-ffffffffffff', id: 'AAD_____f_-__________w', sentAtMs: 2 ** 32 - 1 },
];

const TEXTS = {
  plain: 'hi there',
  escapes: '"\\/\b\f\n\r\t\u0000\u001f\u007f',
  separators: '\u2028\u2029\u0085\uFEFF 😀 \ud83d',
  looksLikeAnEntry: '1m AAAAAAAAcACAAAAAAAAAAA 5 5 - - eve {"text":"x"}',
};

type Options = {
  type?: string;
  version?: number;
  members?: [from: string, to: string];
  text?: string;
  id?: (typeof IDS)[number];
  origin?: string;
  key?: string;
  seq?: number;
};

function vector(name: string, options: Options): EntryVector {
  const { type = 'm', version = 1, members = ['alice', 'bob'], text = TEXTS.plain, id = IDS[0]! } = options;
  const { origin = '-', key = '-', seq = 7 } = options;
  const isTombstone = type === 't';
  const from = isTombstone ? '-' : members[0];
  const channel = directChannel(...members);
  const json = isTombstone ? '{}' : JSON.stringify({ text });
  const isMessage = type === 'm' && version === 1;
  return {
    ...{ name, channel, received: 12, letters: type, ...id, mark: id.id.slice(-6), seq, origin, from },
    line: `${channel} 12 ${version}${type} ${id.id} ${seq} 9 ${origin} ${key} ${from} ${json}`,
    type: isTombstone ? 'tombstone' : isMessage ? 'message' : 'unknown',
    json: isMessage ? json : undefined,
  };
}

export const VECTORS: EntryVector[] = [
  vector('a message', {}),
  vector('a message with a session and an idempotency key', { origin: 'sid-1_A', key: 'q83vEjRW-_' }),
  vector('a note to oneself', { members: ['alice', 'alice'] }),
  vector('a message at a high position', { seq: 2 ** 40 }),
  vector('a tombstone', { type: 't' }),
  vector('an unknown type', { type: 'e' }),
  vector('an unknown type of several letters', { type: 'Edit' }),
  vector('an unknown version', { version: 2 }),
  vector('an unknown version of two digits', { version: 12 }),
  vector('a tombstone of an unknown version', { type: 't', version: 2 }),
  ...Object.entries(TEXTS).map(([name, text]) => vector(`a text: ${name}`, { text })),
  ...IDS.map((id) => vector(`the id ${id.uuid}`, { id })),
  ...(
    [
      ['юля', 'имя'],
      ['张伟', '李娜'],
      ['علي', 'सीता'],
      ['bob2x', 'a1b'],
      ['a-b_c.d', 'zoë'],
    ] as [string, string][]
  ).map((members) => vector(`the names ${members.join(' and ')}`, { members })),
];

/** The message as clients see it. */
export function messageOf({ uuid, from, channel, json, sentAtMs, seq }: EntryVector): unknown {
  const [first, second] = channel.slice('dm:'.length).split('|');
  const to = from === first ? second : first;
  const { text } = JSON.parse(json!) as { text: string };
  return { id: uuid, kind: 'dm', from, to, text, sentAt: new Date(sentAtMs).toISOString(), seq };
}
