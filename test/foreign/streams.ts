/**
 * Runs all readers at the same time, each with its own account, through a dropped connection and a restart of their node.
 * Messages sent while they are disconnected must arrive after the reconnect: each once, in order, on a resumed stream.
 */
import type { Listen } from './readers/reader.ts';
import type { Servers } from './servers.ts';
import { until } from './servers.ts';

/** Readers wait for the time in `retry:`; some double it. */
const BACK_WITHIN_MS = 20_000;

type Event = { kind: string; id: string; text: string; resumed: boolean };
type Sent = { direct: string[]; broadcasts: string[] };
export type Reading = { name: string; listen: Listen };

/** Returns the faults of each reader. */
export async function readStreams(servers: Servers, readings: Reading[]): Promise<Map<string, string[]>> {
  const done = new AbortController();
  const writer = await logIn(servers.backUrl, 'writer');
  const sent: Sent = { direct: [], broadcasts: [] };
  const readers = await Promise.all(
    readings.map(async ({ name, listen }) => {
      const token = await logIn(servers.backUrl, name);
      const events: Event[] = [];
      listen({
        url: servers.frontUrl,
        token,
        ticket: async () => (await call(servers.backUrl, '/v1/events/ticket', {}, token))['ticket'] as string,
        signal: done.signal,
        onEvent: (event) => events.push(event as Event),
      });
      return { name, events };
    }),
  );
  const sendToAll = async (text: string) => {
    const post = (path: string) => call(servers.backUrl, path, { text }, writer);
    await Promise.all(readers.map(({ name }) => post(`/v1/dm/${name}`)));
    await post('/v1/broadcasts');
    sent.direct.push(text);
    sent.broadcasts.push(text);
  };
  /** Readers that were late once; later steps do not wait for them. */
  const late = new Set<string>();
  const waitForAll = async () => {
    const behind = () => readers.filter(({ name, events }) => !late.has(name) && isBehind(events, sent));
    await until('all readers have all messages', () => behind().length === 0, BACK_WITHIN_MS).catch(() => {
      for (const { name } of behind()) late.add(name);
    });
  };
  try {
    const areOpen = () => readers.every(({ events }) => events.length > 0);
    await until('all streams are open', areOpen, BACK_WITHIN_MS).catch(() => undefined);
    await sendToAll('live');
    await waitForAll();
    await servers.drop(async () => {
      await sendToAll('while disconnected');
      await sendToAll('still disconnected');
    });
    await waitForAll();
    await servers.restart(async () => {
      await sendToAll('while the node is down');
      await sendToAll('node still down');
    });
    await waitForAll();
    await sendToAll('live again');
    await waitForAll();
  } finally {
    done.abort();
  }
  return new Map(readers.map(({ name, events }) => [name, faultsOf(events, sent)]));
}

/** The texts of a kind in order of arrival, without repeated ids. */
function textsOf(events: Event[], kind: string): string[] {
  const messages = new Map(events.filter((event) => event.kind === kind).map((event) => [event.id, event]));
  return [...messages.values()].map(({ text }) => text);
}

const isBehind = (events: Event[], sent: Sent): boolean =>
  textsOf(events, 'dm').length < sent.direct.length ||
  textsOf(events, 'broadcast').length < sent.broadcasts.length;

function faultsOf(events: Event[], sent: Sent): string[] {
  const same = (one: string[], other: string[]) => JSON.stringify(one) === JSON.stringify(other);
  const [direct, broadcasts] = [textsOf(events, 'dm'), textsOf(events, 'broadcast')];
  const begins = events.filter(({ kind }) => kind === 'ready').map(({ resumed }) => resumed);
  return [
    ...(same(direct, sent.direct) ? [] : [`direct messages: ${direct.join(' | ')}`]),
    ...(same(broadcasts, sent.broadcasts) ? [] : [`broadcasts: ${broadcasts.join(' | ')}`]),
    ...(begins.length >= 3 ? [] : [`it opened ${begins.length} streams instead of 3`]),
    ...(begins.slice(1).every(Boolean) ? [] : ['a stream started over instead of resuming']),
    ...(events.some(({ kind }) => kind === 'gap') ? ['it received a gap'] : []),
  ];
}

async function call(url: string, path: string, body: object, token = ''): Promise<Record<string, unknown>> {
  const headers = { 'Content-Type': 'application/json', ...(token && { Authorization: `Bearer ${token}` }) };
  const init = { method: 'POST', headers, body: JSON.stringify(body) };
  const response = await fetch(`${url}${path}`, init);
  if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return (await response.json()) as Record<string, unknown>;
}

async function logIn(url: string, username: string): Promise<string> {
  const who = { username, password: 'correct horse battery' };
  await call(url, '/v1/register', who);
  return (await call(url, '/v1/login', who))['accessToken'] as string;
}
