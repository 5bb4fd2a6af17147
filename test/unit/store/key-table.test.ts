/** The table of keys and the list of channels in docs/explanation/architecture.md match src/store/redis/keys.ts. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createKeys, PRESENCE_SHARDS } from '../../../src/store/redis/keys.ts';

const document = readFileSync(new URL('../../../docs/explanation/architecture.md', import.meta.url), 'utf8');
const section = document.slice(document.indexOf('\n## Keys\n'), document.indexOf('\n## Cursors'));
const quoted = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name]) => name!);

const keys = createKeys('', '<realm>');
const { channel, conversations, ...inbox } = keys.inbox('u');
const conversation = keys.conversation('a', 'b');

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
  limit: [keys.limit('send', 'u'), keys.limit('purpose', 'who')],
  nodes: [keys.nodes],
  online: [keys.online(0), keys.online(PRESENCE_SHARDS - 1)],
  onlineNodes: [keys.onlineNodes(0), keys.onlineNodes(PRESENCE_SHARDS - 1)],
  evictor: [keys.evictor],
  shardOf: [],
  broadcasts: endsOf(keys.broadcasts),
  conversation: endsOf(conversation),
  inbox: [...endsOf(inbox), conversations],
  channels: [],
};

function endsOf({ list, ...others }: { list: string } & Record<string, string>): string[] {
  return [list, ...Object.values(others).map((key) => key.slice(list.length))];
}

test('every key is in the table, and nothing else', () => {
  const rows = section.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| key '));
  const documented = rows.flatMap((row) => quoted(row.replaceAll('\\|', '¦').split('|')[1]!));
  expect(documented.map((name) => name.replace('¦', '|')).sort()).toEqual(
    [...new Set(Object.values(NAMES).flat())].sort(),
  );
});

test('every property of the keys is considered', () => {
  expect(Object.keys(NAMES).sort()).toEqual(Object.keys(keys).sort());
});

test('every channel is listed', () => {
  const list = section.slice(section.indexOf('\nChannels: '), section.indexOf('\n\nThe entry with'));
  const { probe, ...others } = keys.channels;
  for (const name of [...Object.values(others), channel, probe('<node>')])
    expect(quoted(list)).toContain(name);
});
