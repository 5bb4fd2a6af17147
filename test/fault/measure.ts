/**
 * Measurements that have a limit instead of a yes or no: the cost of slow readers for the node and the other readers, and
 * the cost of mass reconnects for Redis. Tokens are signed with the nodes' secret; reading and broadcasting need no account.
 */
import { createSecretKey } from 'node:crypto';
import http from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { SECRET } from './node.ts';
import { until } from './processes.ts';
import { closeWorld, openWorld, type World } from './world.ts';

export type Measured = { what: string; value: string; limit: string; isMet: boolean };

type Listener = {
  /** The seq of the newest broadcast, and how often a seq did not follow the previous one. */
  seq: number;
  breaks: number;
  delaysMs: number[];
  isReady: boolean;
  /** How often the server asked it to retry later. */
  refusals: number;
  response: http.IncomingMessage | undefined;
  lastEventId: string | undefined;
  open(url: string): void;
  cut(): void;
};

const MAX_STREAM_BYTES = 262_144;
const READERS = 200;
const STOPPED = 50;
const BIG = '界'.repeat(3_900); // 12 kB
/** Enough to fill the kernel's buffers of a stopped reader and the buffer of its stream. */
const SLOW_COUNT = 900;
const SLOW_PER_SECOND = 45;
const STORM_STREAMS = 2_000;
const STORM_WITHIN_MS = 15_000;
const ALL_WITHIN_MS = 60_000;

async function tokenMaker(dist: string): Promise<(username: string) => string> {
  const { createAccessTokens }: typeof import('../../src/chat/access-tokens.ts') = await import(
    `${dist}/chat/access-tokens.js`
  );
  const tokens = createAccessTokens({
    secrets: [createSecretKey(Buffer.from(SECRET))],
    accessTtlSeconds: 3_600,
    now: Date.now,
  });
  return (username) => tokens.issue({ username, sid: `session-of-${username}` });
}

/** Reads without a JSON parser: the seq and the send time of a broadcast are at known positions. */
function createListener(token: string): Listener {
  let request: http.ClientRequest | undefined;
  const listener: Listener = {
    ...{
      seq: 0,
      breaks: 0,
      delaysMs: [],
      isReady: false,
      refusals: 0,
      response: undefined,
      lastEventId: undefined,
    },
    open(url) {
      const headers = {
        Authorization: `Bearer ${token}`,
        ...(listener.lastEventId && { 'Last-Event-ID': listener.lastEventId }),
      };
      request = http.get(`${url}/v1/events?presence=off`, { agent: false, headers }, (response) => {
        listener.response = response;
        if (response.statusCode !== 200) {
          listener.refusals += 1;
          response.resume();
          setTimeout(() => listener.open(url), 1_000);
          return;
        }
        let rest = '';
        response.on('error', () => {});
        response.setEncoding('latin1').on('data', (chunk: string) => {
          const blocks = (rest + chunk).split('\n\n');
          rest = blocks.pop()!;
          for (const block of blocks) handle(block);
          if (listener.isReady || !blocks.some((block) => block.includes('event: goodbye'))) return;
          listener.refusals += 1; // the stream could not be opened yet
          setTimeout(() => listener.open(url), 1_000);
        });
      });
      request.on('error', () => setTimeout(() => listener.open(url), 500));
    },
    cut() {
      listener.isReady = false;
      request
        ?.removeAllListeners('error')
        .on('error', () => {})
        .destroy();
    },
  };
  function handle(block: string): void {
    const id = /^id: (.*)$/m.exec(block)?.[1];
    if (id) listener.lastEventId = id;
    if (block.includes('event: ready')) listener.isReady = true;
    if (!block.includes('event: broadcast')) return;
    const seq = Number(/"seq":(\d+)\}$/m.exec(block)?.[1]);
    if (listener.seq > 0 && seq !== listener.seq + 1) listener.breaks += 1;
    listener.seq = seq;
    listener.delaysMs.push(performance.now() - Number(/"text":"([\d.]+)/.exec(block)?.[1]));
  }
  return listener;
}

async function broadcast(url: string, token: string, text: string): Promise<void> {
  const response = await fetch(`${url}/v1/broadcasts`, {
    method: 'POST',
    headers: { Authorization: `Bearer ${token}`, 'Content-Type': 'application/json' },
    body: JSON.stringify({ text: `${performance.now()} ${text}` }),
  });
  if (response.status !== 201) throw new Error(`POST /v1/broadcasts returned ${response.status}`);
  await response.arrayBuffer();
}

/** Sends at a steady rate, independent of response times. Returns the peak memory in MB. */
async function load(node: World['nodes'][number], token: string, count: number): Promise<number> {
  let peak = 0;
  const sending: Promise<void>[] = [];
  for (let index = 0; index < count; index += 1) {
    sending.push(broadcast(node.url, token, BIG));
    peak = Math.max(peak, node.resources().megabytes);
    await sleep(1_000 / SLOW_PER_SECOND);
  }
  await Promise.all(sending);
  return peak;
}

const p99 = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length * 0.99)] ?? 0;

export async function measureSlowReaders(dist: string): Promise<Measured[]> {
  const env = { MAX_STREAM_BYTES: String(MAX_STREAM_BYTES), REPLAY_LIMIT: '20' }; // excludes the node's replay memory from the measurement
  const world = await openWorld({ dist, fsync: 'everysec', count: 1, env });
  try {
    const node = world.nodes[0]!;
    const tokenOf = await tokenMaker(dist);
    const listeners = Array.from({ length: READERS }, (_, index) => createListener(tokenOf(`user${index}`)));
    for (const listener of listeners) listener.open(node.url);
    await until(() => listeners.every(({ isReady }) => isReady), ALL_WITHIN_MS);
    const hasAll = (all: Listener[], seq: number) =>
      until(() => all.every((each) => each.seq === seq), ALL_WITHIN_MS);
    const [stopped, others] = [listeners.slice(0, STOPPED), listeners.slice(STOPPED)];
    const writer = tokenOf('writer');

    const before = await load(node, writer, SLOW_COUNT);
    await hasAll(listeners, SLOW_COUNT);
    const calmMs = p99(others.flatMap(({ delaysMs }) => delaysMs.splice(0)));
    for (const { response } of stopped) response?.pause();
    const during = await load(node, writer, SLOW_COUNT);
    await hasAll(others, 2 * SLOW_COUNT);
    const behind = stopped.filter(({ seq }) => seq < 2 * SLOW_COUNT).length;
    const loadedMs = p99(others.flatMap(({ delaysMs }) => delaysMs.splice(0)));
    for (const { response } of stopped) response?.resume();
    const isWhole = await hasAll(listeners, 2 * SLOW_COUNT);
    const breaks = listeners.reduce((sum, each) => sum + each.breaks, 0);
    const allowed = (STOPPED * MAX_STREAM_BYTES) / 2 ** 20;
    return [
      {
        what: `memory with ${STOPPED} of ${READERS} readers stopped (${behind} fell behind)`,
        value: `${(during - before).toFixed(1)} MB more (${before.toFixed(0)} → ${during.toFixed(0)})`,
        limit: `${allowed} MB`,
        isMet: during - before <= allowed && behind === STOPPED,
      },
      {
        what: 'p99 of the other readers',
        value: `${calmMs.toFixed(0)} → ${loadedMs.toFixed(0)} ms`,
        limit: '2 ×',
        isMet: loadedMs <= 2 * calmMs,
      },
      {
        what: 'stopped readers receive everything in order after resuming',
        value: isWhole && breaks === 0 ? 'yes' : `${breaks} breaks`,
        limit: 'yes',
        isMet: isWhole && breaks === 0,
      },
    ];
  } finally {
    await closeWorld(world);
  }
}

export async function measureStorm(dist: string): Promise<Measured[]> {
  const world = await openWorld({ dist, fsync: 'everysec' });
  try {
    const { nodes, redis } = world;
    const tokenOf = await tokenMaker(dist);
    const urlOf = (index: number) => nodes[index % nodes.length]!.url;
    const listeners = Array.from({ length: STORM_STREAMS }, (_, index) =>
      createListener(tokenOf(`user${index}`)),
    );
    for (const [index, listener] of listeners.entries()) {
      listener.open(urlOf(index));
      if (index % 100 === 99) await until(() => listener.isReady, ALL_WITHIN_MS);
    }
    await until(() => listeners.every(({ isReady }) => isReady), ALL_WITHIN_MS);
    const writer = tokenOf('writer');
    const sendSome = async (count: number) => {
      for (let index = 0; index < count; index += 1) await broadcast(urlOf(index), writer, 'storm');
    };
    await sendSome(20);
    await until(() => listeners.every(({ seq }) => seq === 20), ALL_WITHIN_MS);
    for (const listener of listeners) listener.cut();
    await sendSome(20); // while all streams are closed
    await redis.admin.config('RESETSTAT');
    const startedAtMs = performance.now();
    // Each stream reconnects to a different node.
    for (const [index, listener] of listeners.entries()) listener.open(urlOf(index + 1));
    const isBack = await until(
      () => listeners.every(({ isReady, seq }) => isReady && seq === 40),
      ALL_WITHIN_MS,
    );
    const backMs = performance.now() - startedAtMs;
    const calls = new Map(
      [...(await redis.admin.info('commandstats')).matchAll(/cmdstat_([\w|]+):calls=(\d+)/g)].map(
        ([, name = '', count]) => [name, Number(count)],
      ),
    );
    await sendSome(1);
    const isLive = await until(() => listeners.every(({ seq }) => seq === 41), ALL_WITHIN_MS);
    const breaks = listeners.reduce((sum, each) => sum + each.breaks, 0);
    const refusals = listeners.reduce((sum, each) => sum + each.refusals, 0);
    const scripts = (calls.get('evalsha') ?? 0) / STORM_STREAMS;
    const each = [...calls].filter(([, count]) => count >= STORM_STREAMS / 10);
    return [
      {
        what: `${STORM_STREAMS} streams reconnect at the same time, each to another node`,
        value: `${(backMs / 1_000).toFixed(1)} s until all have caught up, ${refusals} rejections`,
        limit: `${STORM_WITHIN_MS / 1_000} s`,
        isMet: isBack && isLive && breaks === 0 && backMs <= STORM_WITHIN_MS,
      },
      {
        what: 'Redis scripts per resumed stream',
        value: `${scripts.toFixed(2)} (${each.map(([name, count]) => `${name} ${(count / STORM_STREAMS).toFixed(2)}`).join(', ')})`,
        limit: '4',
        isMet: scripts <= 4,
      },
    ];
  } finally {
    await closeWorld(world);
  }
}
