/** The table of keys and the list of channels in docs/explanation/architecture.md match src/store/redis/keys.ts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createKeys, PRESENCE_SHARDS } from '../../../src/store/redis/keys.ts';
import { TAGS } from '../../../src/store/redis/partitions.ts';

const document = readFileSync(new URL('../../../docs/explanation/architecture.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('\n## Keys\n'), document.indexOf('\n## Cursors'));
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const keys = createKeys('', '<realm>');
const { pubsub, ...inbox } = keys.inbox('u');

/** Each property of the keys, as the document writes it. Keys with a common beginning are listed by their ends. */
const NAMES: Record<keyof typeof keys, string[]> = {
  realm: [keys.realm],
  account: [keys.account('u')],
  accounts: [], // a pattern
  usernameIn: [],
  skeleton: [keys.skeleton('digest')],
  skeletons: [keys.skeletons],
  session: [keys.session('u', 'sid')],
  sessions: [keys.sessions('u')],
  ticket: [keys.ticket('hash')],
  revoked: [keys.revoked],
  sendLimit: [keys.sendLimit('u')],
  limit: [keys.limit('purpose', 'who')],
  heartbeats: [keys.heartbeats],
  earlierNodes: [keys.earlierNodes],
  online: [keys.online(0), keys.online(PRESENCE_SHARDS - 1)],
  onlineNodes: [keys.onlineNodes(0), keys.onlineNodes(PRESENCE_SHARDS - 1)],
  evictor: [keys.evictor],
  shardOf: [],
  everyone: endsOf(keys.everyone),
  direct: endsOf(keys.direct('dm:a|b')),
  inbox: endsOf(inbox),
  channels: [],
};

function endsOf({ list, ...others }: { list: string } & Record<string, string>): string[] {
  return [list, ...Object.values(others).map((key) => key.slice(list.length))];
}

/** The tag of a partition is written as `{tag}`. */
function withoutTag(name: string): string {
  const tag = /\{([^}]+)\}/.exec(name)?.[1] ?? '';
  return TAGS.includes(tag) ? name.replace(tag, 'tag') : name;
}

test('every key is in the table, and nothing else', () => {
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| key '));
  const documented = rows.flatMap((row) => quoted(row.replaceAll('\\|', '¦').split('|')[1]!));
  expect(documented.map((name) => name.replace('¦', '|')).sort()).toEqual(
    [...new Set(Object.values(NAMES).flat().map(withoutTag))].sort(),
  );
});

test('every property of the keys is considered', () => {
  expect(Object.keys(NAMES).sort()).toEqual(Object.keys(keys).sort());
});

test('every pub/sub channel is listed', () => {
  const list = section.slice(section.indexOf('\nPub/sub channels: '), section.indexOf('\n\nThe entry with'));
  const { probe, ...others } = keys.channels;
  for (const name of [...Object.values(others), withoutTag(pubsub), probe('<node>')])
    expect(quoted(list)).toContain(name);
});
