/** Runs the recipes for several nodes with the proxies of the distribution, while nodes are restarted and killed. */
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, inject, onTestFinished, test } from 'vitest';
import { JWT_SECRET, person, type TestNode, until } from '../../kit/app.ts';
import { within } from '../../kit/patience.ts';
import { freePort } from '../../kit/ports.ts';
import { type Process, startProcess } from '../../kit/process.ts';
import {
  HAPROXY,
  isProxyInstalled,
  NGINX,
  nginxFolders,
  type ProxyCommand,
  recipe,
  startReverseProxy,
} from '../../kit/reverse-proxy.ts';
import { openStream } from '../../kit/stream.ts';
import { type Reader, type Sent, startReader, startSender } from './load.ts';

const READERS = 30;
const SENDERS = 3;
const EVERY_MS = 50;
const BACK_WITHIN_MS = 5_000;

type Recipe = {
  proxy: ProxyCommand;
  file: string;
  /** Whether it asks `/readyz`; nginx cannot. */
  checksReadiness: boolean;
  /** Makes it run beside other programs, as any user and with few descriptors. */
  own: (text: string, folder: string) => string;
};
const RECIPES: Recipe[] = [
  {
    proxy: NGINX,
    file: 'nginx-nodes.conf',
    checksReadiness: false,
    own: (text, folder) =>
      `pid ${folder}/pid; daemon off; error_log ${folder}/log;\n` +
      text
        .replace('http {', `http {\n${nginxFolders(folder)}`)
        .replace('worker_rlimit_nofile 40000', 'worker_rlimit_nofile 1024')
        .replace('worker_connections 19000', 'worker_connections 500'),
  },
  {
    proxy: HAPROXY,
    file: 'haproxy-nodes.cfg',
    checksReadiness: true,
    own: (text) => text.replace('maxconn 20000', 'maxconn 400'),
  },
];

type Fleet = { nodes: Process[]; url: string; startAgain(index: number): Promise<void> };

const startProxy = ({ proxy, file, own }: Recipe, ports: number[]): Promise<string> =>
  startReverseProxy(proxy, (folder, port) => {
    let text = own(recipe(file), folder).replaceAll('8080', String(port));
    for (const [index, each] of ports.entries())
      text = text.replaceAll(`127.0.0.1:300${index + 1}`, `127.0.0.1:${each}`);
    return text;
  });

/** Three nodes on one Redis behind a proxy. Each comes back on its own port. */
async function startFleet(each: Recipe): Promise<Fleet> {
  const prefix = `test-${randomUUID().slice(0, 8)}:`;
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const start = (port: number): Promise<Process> =>
    startProcess({
      ...{ PORT: String(port), REDIS_URL: inject('redisUrl'), KEY_PREFIX: prefix, JWT_SECRET },
      ...{ TRUST_PROXY: '1', SEND_LIMIT: '0', REGISTER_LIMIT: '0', LOGIN_LIMIT: '0' },
      ...{ NETWORK_CONNECTIONS: '1000', NETWORK_BUDGET: '100000/1' },
    });
  const nodes = await Promise.all(ports.map(start));
  const url = await startProxy(each, ports);
  const startAgain = async (index: number): Promise<void> => {
    nodes[index] = await start(ports[index]!);
  };
  return { nodes, url, startAgain };
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** A server whose `/readyz` fails. Everything else that it receives is added to `received`. */
async function startUnreadyStub(received: string[]): Promise<number> {
  const stub = createServer((req, res) => {
    if (req.url !== '/readyz') received.push(`unready: ${req.url}`);
    res.writeHead(req.url === '/readyz' ? 503 : 200).end();
  }).listen(0, '127.0.0.1');
  onTestFinished(() => stub.close().closeAllConnections());
  await once(stub, 'listening');
  return portOf(stub);
}

/** Three servers that read a POST and close the connection; the second one that is `received` gets 201. */
async function startStubs(received: string[]): Promise<number[]> {
  const stubs = [1, 2, 3].map(() =>
    createServer(async (req, res) => {
      const body = (await req.setEncoding('utf8').toArray()).join('');
      if (req.method === 'POST') received.push(body);
      if (req.method === 'POST' && received.length === 1) req.socket.destroy();
      else res.writeHead(req.method === 'POST' ? 201 : 200).end();
    }).listen(0, '127.0.0.1'),
  );
  onTestFinished(() => {
    for (const stub of stubs) stub.close().closeAllConnections();
  });
  await Promise.all(stubs.map((stub) => once(stub, 'listening')));
  return stubs.map(portOf);
}

type Load = { readers: Reader[]; finish(): Promise<Sent[]> };

async function startLoad(url: string): Promise<Load> {
  const fleet = { url } as TestNode; // registers and logs in through the proxy
  const accounts = [];
  for (let count = 0; count < READERS; count += 1) accounts.push(await person(fleet, `reader${count}`));
  const readers = accounts.map((account) => startReader(url, account));
  const stopReaders = (): void => {
    for (const each of readers) each.stop();
  };
  onTestFinished(stopReaders);
  await until('all streams are open', () => readers.every(({ openings }) => openings.length > 0));
  const names = accounts.map(({ username }) => username);
  const senders: ReturnType<typeof startSender>[] = [];
  for (let count = 0; count < SENDERS; count += 1) {
    const { token } = await person(fleet, `sender${count}`);
    senders.push(startSender(url, token, names, EVERY_MS));
  }
  onTestFinished(() => Promise.all(senders.map((each) => each.stop())).then(() => {}));
  return {
    readers,
    finish: async () => {
      await Promise.all(senders.map((each) => each.stop()));
      const sent = senders.flatMap((each) => each.sent);
      const expected = sent.filter(({ status, to }) => status === 201 && to === undefined).length;
      await until('all streams have caught up', () =>
        readers.every(({ broadcasts }) => broadcasts.length >= expected),
      ).catch(() => {}); // what is missing is reported below
      await sleep(200); // a doubled message would arrive now
      stopReaders();
      return sent;
    },
  };
}

/** Nothing failed, and each reader received each message once, in one order. */
function expectNothingLost(readers: Reader[], sent: Sent[]): void {
  expect(sent.filter(({ status }) => status !== 201)).toEqual([]);
  const idsTo = (username: string | undefined) =>
    sent.filter(({ to }) => to === username).map(({ id }) => id);
  const [first] = readers;
  expect(new Set(first!.broadcasts)).toEqual(new Set(idsTo(undefined)));
  expect(first!.broadcasts).toHaveLength(idsTo(undefined).length);
  for (const reader of readers) {
    expect(reader.openings.filter((status) => status !== 200)).toEqual([]);
    expect(reader.gaps).toEqual([]);
    expect(reader.broadcasts).toEqual(first!.broadcasts);
    expect([...reader.dms].sort()).toEqual(idsTo(reader.username).sort());
  }
  expect(Math.max(...readers.flatMap(({ absencesMs }) => absencesMs))).toBeLessThan(within(BACK_WITHIN_MS));
}

for (const each of RECIPES) {
  describe.skipIf(!isProxyInstalled(each.proxy.command))(each.file, () => {
    test('no send fails in a rolling restart, and every stream resumes where it was', async () => {
      const { nodes, url, startAgain } = await startFleet(each);
      const { readers, finish } = await startLoad(url);
      for (const index of nodes.keys()) {
        nodes[index]!.child.kill('SIGTERM');
        expect(await nodes[index]!.exited).toBe(0);
        await startAgain(index);
        await sleep(1_000);
      }
      const returns = () => readers.flatMap(({ absencesMs }) => absencesMs).length;
      await until('all streams have been away', () => returns() >= READERS);
      expectNothingLost(readers, await finish());
    });

    test('no send fails when a node is killed, and its streams resume where they were', async () => {
      const { nodes, url } = await startFleet(each);
      const { readers, finish } = await startLoad(url);
      await sleep(500);
      nodes[0]!.child.kill('SIGSTOP'); // so that requests are in flight when it is killed
      await sleep(500);
      nodes[0]!.child.kill('SIGKILL');
      await nodes[0]!.exited;
      await sleep(5_000);
      expect(readers.some(({ absencesMs }) => absencesMs.length > 0)).toBe(true);
      expectNothingLost(readers, await finish());
    });

    test('a send that reached a node is repeated only if it has a key', async () => {
      const received: string[] = [];
      const url = await startProxy(each, await startStubs(received));
      const statusWith = async (headers: Record<string, string>): Promise<number> => {
        received.length = 0;
        const response = await fetch(`${url}/v1/broadcasts`, { method: 'POST', body: 'hello', headers });
        await response.text();
        return response.status;
      };
      expect(await statusWith({})).toBeGreaterThanOrEqual(500);
      expect(received).toEqual(['hello']);
      expect(await statusWith({ 'Idempotency-Key': 'k1' })).toBe(201);
      expect(received).toEqual(['hello', 'hello']);
    });

    if (each.checksReadiness)
      test('a node that is not ready gets no requests', async () => {
        const received: string[] = [];
        const ports = await startStubs(received);
        const url = await startProxy(each, [await startUnreadyStub(received), ...ports.slice(1)]);
        const responds = async (): Promise<boolean> => (await fetch(`${url}/v1`)).status === 200;
        await until(
          'the checks have failed',
          async () => {
            received.length = 0;
            for (let count = 0; count < 9; count += 1) await responds();
            return received.length === 0;
          },
          5_000,
        );
        expect(await responds()).toBe(true);
      });

    test('while no node responds, a stream gets 200 and ends, so that an EventSource comes back', async () => {
      const { nodes, url } = await startFleet(each);
      const account = await person({ url } as TestNode, 'alice');
      for (const { child, exited } of nodes) {
        child.kill('SIGKILL');
        await exited;
      }
      const statuses = [];
      for (let count = 0; count < 10; count += 1) {
        const stream = await openStream(url, account.token);
        statuses.push(stream.status);
        expect(stream.headers['content-type']).toMatch(/^text\/event-stream/);
        await until('the stream ends', () => stream.isClosed);
        expect(stream.raw).toBe('retry: 3000\n\n');
        await sleep(100);
      }
      expect(new Set(statuses)).toEqual(new Set([200]));
    });
  });
}
