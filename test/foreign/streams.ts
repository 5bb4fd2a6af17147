/**
 * All readers at once, each with an account of its own, through a dropped connection and a restart of their node. What is
 * said while they are away must be there when they are back: each message once, in order, on a stream that went on.
 */
import type { Listen } from './readers/reader.ts';
import type { Servers } from './servers.ts';
import { until } from './servers.ts';

/** A reader waits for as long as the stream's `retry:` says; some double it. */
const BACK_WITHIN_MS = 20_000;

type Event = { kind: string; id: string; text: string; resumed: boolean };
type Told = { direct: string[]; broadcasts: string[] };
export type Reading = { name: string; listen: Listen };

/** Answers what went wrong with each reader; nothing if it has all. */
export async function readStreams(servers: Servers, readings: Reading[]): Promise<Map<string, string[]>> {
  const done = new AbortController();
  const writer = await logIn(servers.backUrl, 'writer');
  const told: Told = { direct: [], broadcasts: [] };
  const readers = await Promise.all(
    readings.map(async ({ name, listen }) => {
      const token = await logIn(servers.backUrl, name);
      const events: Event[] = [];
      listen({
        url: servers.frontUrl,
        token,
        ticket: async () => (await call(servers.backUrl, '/v1/events/ticket', {}, token))['ticket'] as string,
        signal: done.signal,
        hear: (event) => events.push(event as Event),
      });
      return { name, events };
    }),
  );
  const tell = async (text: string) => {
    const say = (path: string) => call(servers.backUrl, path, { text }, writer);
    await Promise.all(readers.map(({ name }) => say(`/v1/dm/${name}`)));
    await say('/v1/broadcasts');
    told.direct.push(text);
    told.broadcasts.push(text);
  };
  /** Who is late once is not waited for again. */
  const late = new Set<string>();
  const allHave = async () => {
    const behind = () => readers.filter(({ name, events }) => !late.has(name) && isBehind(events, told));
    await until('all are told', () => behind().length === 0, BACK_WITHIN_MS).catch(() => {
      for (const { name } of behind()) late.add(name);
    });
  };
  try {
    const listen = () => readers.every(({ events }) => events.length > 0);
    await until('all listen', listen, BACK_WITHIN_MS).catch(() => undefined);
    await tell('live');
    await allHave();
    await servers.drop(async () => {
      await tell('while the connection was gone');
      await tell('and once more');
    });
    await allHave();
    await servers.restart(async () => {
      await tell('while the node was gone');
      await tell('and again');
    });
    await allHave();
    await tell('live again');
    await allHave();
  } finally {
    done.abort();
  }
  return new Map(readers.map(({ name, events }) => [name, faultsOf(events, told)]));
}

/** The texts of a kind, in the order in which they came; what comes again with an id that is known is dropped. */
function textsOf(events: Event[], kind: string): string[] {
  const messages = new Map(events.filter((event) => event.kind === kind).map((event) => [event.id, event]));
  return [...messages.values()].map(({ text }) => text);
}

const isBehind = (events: Event[], told: Told): boolean =>
  textsOf(events, 'dm').length < told.direct.length ||
  textsOf(events, 'broadcast').length < told.broadcasts.length;

function faultsOf(events: Event[], told: Told): string[] {
  const same = (one: string[], other: string[]) => JSON.stringify(one) === JSON.stringify(other);
  const [direct, broadcasts] = [textsOf(events, 'dm'), textsOf(events, 'broadcast')];
  const begins = events.filter(({ kind }) => kind === 'ready').map(({ resumed }) => resumed);
  return [
    ...(same(direct, told.direct) ? [] : [`direct messages: ${direct.join(' | ')}`]),
    ...(same(broadcasts, told.broadcasts) ? [] : [`broadcasts: ${broadcasts.join(' | ')}`]),
    ...(begins.length >= 3 ? [] : [`it began ${begins.length} times, not 3`]),
    ...(begins.slice(1).every(Boolean) ? [] : ['it began anew instead of resuming']),
    ...(events.some(({ kind }) => kind === 'gap') ? ['it was told of a gap'] : []),
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
