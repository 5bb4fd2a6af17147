// How the private Redis treats existing files: it closes them to other users and repairs an end torn by a power failure;
// otherwise it leaves them untouched, does not start, and reports what to do.
import { once } from 'node:events';
import fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { findNativeServer, startPrivateRedis } from '../../../src/store/private-redis/server.ts';

const { PATH = '' } = process.env;
const native = await findNativeServer(PATH, () => undefined);

let dataDir: string;
let logged: string[];
let incr: string;

beforeEach(() => {
  const folder = fs.mkdtempSync(join(tmpdir(), 'parley-data-'));
  onTestFinished(() => fs.rmSync(folder, { recursive: true, force: true }));
  dataDir = join(folder, 'data');
  incr = join(dataDir, 'appendonlydir', 'appendonly.aof.1.incr.aof');
  logged = [];
});

/** Start a private Redis on the data directory, run an action, and stop it. */
async function withRedis<T>(use: (client: Redis) => Promise<T>): Promise<T> {
  const redis = await startPrivateRedis({
    dataDir,
    path: PATH,
    log: (line) => logged.push(line),
    engine: 'native',
  });
  const client = new Redis(redis.url, { retryStrategy: null });
  try {
    return await use(client);
  } finally {
    client.disconnect();
    await redis.stop();
  }
}

const fill = (count = 20): Promise<unknown> =>
  withRedis(async (client) => {
    for (let n = 0; n < count; n += 1) await client.rpush('list', `entry ${n}`);
  });
const entries = (): Promise<string[]> => withRedis((client) => client.lrange('list', 0, -1));
const mode = (path: string): number => fs.statSync(path).mode & 0o7777;
const TRANSACTION = '*1\r\n$5\r\nMULTI\r\n*3\r\n$5\r\nRPUSH\r\n$4\r\nlist\r\n$4\r\nhalf\r\n';

describe.runIf(native)('an append-only file with a torn end', () => {
  test.each([
    ['zeros', Buffer.alloc(512)],
    ['more zeros than one read returns', Buffer.alloc(3 << 20)],
    ['garbage', Buffer.from('\u0001\u0002 not a command \xff\xfe', 'latin1')],
    ['a truncated command', Buffer.from('*3\r\n$5\r\nRPUSH\r\n$4\r\nli')],
    ['a command truncated in its count', Buffer.from('*')],
    ['a truncated command, then zeros', Buffer.from(`*3\r\n$5\r\nRPUSH\r\n$4\r\nli${'\0'.repeat(99)}`)],
    ['an unfinished transaction', Buffer.from(TRANSACTION)],
    ['a truncated transaction', Buffer.from(`${TRANSACTION}*1\r\n$4\r\nEX`)],
  ])('is repaired: %s', async (_, tail) => {
    await fill();
    const original = fs.readFileSync(incr);
    fs.appendFileSync(incr, tail);
    expect(await entries()).toHaveLength(20);
    expect(logged).toHaveLength(1);
    expect(logged[0]).toContain(`${incr} ended with ${tail.length} bytes of an incomplete command`);
    const copy = /the original is saved as (\S+)$/.exec(logged[0]!)![1]!;
    expect(fs.readFileSync(copy).equals(Buffer.concat([original, tail]))).toBe(true);
    expect(mode(copy)).toBe(0o600);
    expect(await entries()).toHaveLength(20);
    expect(logged).toHaveLength(1);
  });

  test('is cut after the last complete command, wherever that command is torn', async () => {
    await fill();
    const original = fs.readFileSync(incr);
    for (const missing of [1, 2, 9, 17, 30]) {
      fs.writeFileSync(incr, original.subarray(0, original.length - missing));
      expect(await entries()).toHaveLength(19);
    }
  });

  test('is not touched when the file is empty or its end is intact', async () => {
    await fill();
    fs.writeFileSync(incr, '');
    expect(await entries()).toEqual([]);
    expect(logged).toEqual([]);
  });

  const expectRefusal = async (message: RegExp) => {
    const before = fs.readFileSync(incr);
    await expect(entries()).rejects.toThrow(message);
    expect(fs.readFileSync(incr).equals(before)).toBe(true);
    expect(fs.readdirSync(join(dataDir, 'appendonlydir')).filter((name) => name.includes('torn'))).toEqual(
      [],
    );
  };

  test.each([
    ['zeros', (at: number, bytes: Buffer) => bytes.fill(0, at, at + 60)],
    ['a length far beyond the end', (at: number, bytes: Buffer) => bytes.write('$99999999\r\n', at + 4)],
    ['a count of arguments', (at: number, bytes: Buffer) => bytes.write('*7', at)],
    ['one byte of a header', (at: number, bytes: Buffer) => bytes.write('!', at)],
  ])(
    'is not repaired when the damage is in the middle: %s, followed by complete commands',
    async (_, damage) => {
      await fill();
      const bytes = fs.readFileSync(incr);
      damage(bytes.indexOf('*3\r\n', bytes.indexOf('entry 7')), bytes);
      fs.writeFileSync(incr, bytes);
      await expectRefusal(
        /damaged at byte \d+, and complete commands follow.*redis-check-aof --fix \S+manifest/,
      );
    },
  );

  test('is not repaired when the file contains no command at all', async () => {
    await fill();
    fs.writeFileSync(incr, Buffer.alloc(4_096));
    await expectRefusal(/does not begin with a command.*from a backup/);
  });
});

describe.runIf(native)('data files that the server would ignore', () => {
  const manifest = () => join(dataDir, 'appendonlydir', 'appendonly.aof.manifest');
  const base = () => join(dataDir, 'appendonlydir', 'appendonly.aof.1.base.rdb');

  test.each<[string, () => void, RegExp]>([
    [
      'no manifest',
      () => fs.rmSync(manifest()),
      /has data \(appendonly\.aof\.1\.incr\.aof\) but no appendonly\.aof\.manifest/,
    ],
    ['an empty manifest', () => fs.writeFileSync(manifest(), ''), /manifest is damaged or empty/],
    ['a manifest of zeros', () => fs.writeFileSync(manifest(), Buffer.alloc(80)), /damaged or empty/],
    [
      'a manifest whose file is missing',
      () => fs.rmSync(incr),
      /lists appendonly\.aof\.1\.incr\.aof, which does not exist/,
    ],
    ['a manifest whose base is missing', () => fs.rmSync(base()), /lists appendonly\.aof\.1\.base\.rdb/],
    [
      'a manifest that is older than the files',
      () => fs.copyFileSync(incr, incr.replace('.1.', '.2.')),
      /appendonly\.aof\.2\.incr\.aof is newer than/,
    ],
    [
      'files under other names',
      () => {
        for (const name of fs.readdirSync(join(dataDir, 'appendonlydir')))
          fs.renameSync(join(dataDir, 'appendonlydir', name), join(dataDir, 'appendonlydir', `x${name}`));
      },
      /has data \(xappendonly/,
    ],
    [
      'a dump alone',
      () => {
        fs.rmSync(join(dataDir, 'appendonlydir'), { recursive: true });
        fs.writeFileSync(join(dataDir, 'dump.rdb'), 'REDIS0010');
      },
      /dump\.rdb would be ignored.*Move it away/,
    ],
  ])('prevent the start: %s', async (_, damage, message) => {
    await fill();
    damage();
    const before = fs.readdirSync(dataDir, { recursive: true }).sort();
    await expect(entries()).rejects.toThrow(message);
    expect(fs.readdirSync(dataDir, { recursive: true }).sort()).toEqual(before);
  });

  test('do not include the files of a start that was interrupted', async () => {
    await fill(0);
    fs.rmSync(manifest());
    await fill();
    expect(await entries()).toHaveLength(20);
  });

  test('do not include the single file of an older server, which is migrated', async () => {
    fs.mkdirSync(dataDir);
    const command = ['RPUSH', 'list', 'old'].map((word) => `$${word.length}\r\n${word}\r\n`).join('');
    fs.writeFileSync(join(dataDir, 'appendonly.aof'), `*3\r\n${command}`);
    expect(await entries()).toEqual(['old']);
  });
});

describe.runIf(native)('the data directory', () => {
  /** Files that are open to others. Redis removes a temporary file at any moment, so one may be gone already. */
  const openFiles = () =>
    fs.readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => {
      const stat = fs.statSync(join(entry.parentPath, entry.name), { throwIfNoEntry: false });
      return stat !== undefined && (stat.mode & 0o077) !== 0;
    });

  test('is closed to other users with all its contents, whatever the umask, even if it was open before', async () => {
    const umask = process.umask(0);
    onTestFinished(() => void process.umask(umask));
    fs.mkdirSync(dataDir);
    fs.chmodSync(dataDir, 0o755);
    await withRedis(async (client) => {
      await client.set('a', 'b');
      await client.bgrewriteaof();
      expect(openFiles()).toEqual([]);
    });
    expect(mode(dataDir)).toBe(0o700);
    expect(logged).toEqual([expect.stringContaining('changed its mode to 0700')]);
    for (const name of ['appendonlydir', 'appendonlydir/appendonly.aof.manifest'])
      fs.chmodSync(join(dataDir, name), 0o755);
    await withRedis(async () => {});
    expect(openFiles()).toEqual([]);
  });

  test.each([
    [
      'is shared by all users',
      () => fs.chmodSync(dataDir, 0o1777),
      /is not used by Parley alone \(shared\)\. Run chmod 700/,
    ],
    [
      'contains other files',
      () => {
        fs.chmodSync(dataDir, 0o755);
        fs.writeFileSync(join(dataDir, 'thesis.doc'), '');
      },
      /is not used by Parley alone \(thesis\.doc\)\. Run chmod 700 on it, or set DATA_DIR/,
    ],
  ])('is rejected and not changed if it %s', async (_, make, message) => {
    fs.mkdirSync(dataDir);
    make();
    const before = mode(dataDir);
    await expect(withRedis(async () => {})).rejects.toThrow(message);
    expect(mode(dataDir)).toBe(before);
  });

  test('may contain other files if it is closed, and temporary files of a killed server are removed', async () => {
    fs.mkdirSync(dataDir, { mode: 0o700 });
    fs.writeFileSync(join(dataDir, 'notes'), '');
    fs.mkdirSync(join(dataDir, 'temp-99999.rdb'));
    fs.writeFileSync(join(dataDir, 'temp-rewriteaof-bg-99999.aof'), '');
    await fill();
    expect(fs.readdirSync(dataDir).sort()).toEqual(['appendonlydir', 'notes']);
    expect(logged).toEqual([]);
  });
});

describe.runIf(native)('a signal sent to all processes at once', () => {
  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s does not end the server before its Parley exits',
    async (signal) => {
      const pid = await withRedis(async (client) => {
        const pid = Number(/process_id:(\d+)/.exec(await client.info('server'))?.[1]);
        const ended = once(client, 'end').then(() => 'ended');
        for (let n = 0; n < 5; n += 1) {
          process.kill(pid, signal);
          const late = new Promise((resolve) => setTimeout(resolve, 300, 'late'));
          expect(await Promise.race([ended, late])).toBe('late');
          await client.rpush('list', `after signal ${n}`);
        }
        return pid;
      });
      expect(() => process.kill(pid, 0)).toThrow('ESRCH');
      expect(await entries()).toHaveLength(5);
      expect(fs.readdirSync(dataDir)).toEqual(['appendonlydir']);
      expect(logged).toEqual([]);
    },
  );
});
