import { randomUUID } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readConfig } from '../../src/config.ts';
import { SETTINGS, type Setting } from '../../src/settings.ts';

const SECRET = 'thirty-two bytes: and not 1 more';

function faultsOf(env: Record<string, string>): string[] {
  try {
    readConfig(env);
  } catch (error) {
    return (error as Error).message
      .split('\n')
      .slice(1)
      .map((line) => line.trim());
  }
  return [];
}

const settings = Object.entries<Setting<unknown>>(SETTINGS);
const inCode = settings.map(([name, setting]) => [name, setting.default, setting.reason]);

describe('documented settings match the code', () => {
  test('.env.example has every setting, with its default and its reason, in the order of the table', () => {
    const file = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
    const inFile = [...file.matchAll(/^# (.+)\n(\w+)=(.*)$/gm)].map(([, reason, name, value]) => [
      name,
      value,
      reason,
    ]);
    expect(inFile).toEqual(inCode);
    expect(file.match(/^\w+=/gm)).toHaveLength(inCode.length);
  });

  test('the configuration reference lists the same settings', () => {
    const file = readFileSync(new URL('../../docs/reference/configuration.md', import.meta.url), 'utf8');
    const inFile = [...file.matchAll(/^\| `([A-Z_]+)` \| (?:`(.*)`|) *\| (.+) \|$/gm)].map((row) => [
      row[1],
      row[2] ?? '',
      row[3],
    ]);
    expect(inFile).toEqual(inCode);
  });

  test('.env.example itself is a configuration that works', () => {
    const file = readFileSync(new URL('../../.env.example', import.meta.url), 'utf8');
    const env = Object.fromEntries(
      [...file.matchAll(/^(\w+)=(.*)$/gm)].map(([, name, value]) => [name, value]),
    );
    expect(readConfig(env)).toEqual(readConfig({}));
  });
});

describe('reading the environment', () => {
  test('uses the defaults, a private Redis and no secret when nothing is set', () => {
    expect(readConfig({})).toMatchObject({
      PORT: 3000,
      HOST: '127.0.0.1',
      REDIS_URL: undefined,
      JWT_SECRET: undefined,
      DATA_DIR: '.data',
      BCRYPT_COST: 12,
      ACCESS_TTL_SECONDS: 3600,
      LOGIN_LIMIT: { max: 10, windowMs: 300_000 },
      SEND_LIMIT: { max: 50, windowMs: 10_000 },
      CORS_ORIGINS: [],
      TRUST_PROXY: false,
      METRICS_PORT: 0,
      REPLAY_LIMIT: 1000,
    });
  });

  test('treats a setting that is empty or white space as not set', () => {
    expect(readConfig({ PORT: '', HOST: ' ', REDIS_URL: '  ' })).toEqual(readConfig({}));
  });

  test('trims values', () => {
    expect(readConfig({ PORT: ' 8080 ' }).PORT).toBe(8080);
  });

  test('reports all invalid settings together, each with its rule and value', () => {
    const env = {
      PORT: '70000',
      BCRYPT_COST: '3',
      SEND_LIMIT: 'fast',
      LOG_LEVEL: 'loud',
      JWT_SECRET: 'short',
    };
    expect(faultsOf(env)).toEqual([
      'PORT must be a whole number from 0 to 65535; it is "70000"',
      'JWT_SECRET must be at least 32 bytes',
      'BCRYPT_COST must be a whole number from 4 to 16; it is "3"',
      'SEND_LIMIT must be count/seconds, such as 50/10, or 0 for no limit; it is "fast"',
      'LOG_LEVEL must be one of silent, error, warn, info, debug; it is "loud"',
    ]);
  });

  test.each(['1.5', '-1', '1e3', '0x10', 'ten', '１２'])('%s is not a whole number', (value) => {
    expect(faultsOf({ PORT: value })).toHaveLength(1);
  });

  test('reports no secret, neither a key nor the password in an address', () => {
    const message = faultsOf({ JWT_SECRET: 'hunter2', REDIS_URL: 'http://:hunter2@redis.example' }).join(
      '\n',
    );
    expect(message).toContain('JWT_SECRET');
    expect(message).toContain('REDIS_URL');
    expect(message).not.toContain('hunter2');
  });

  test('every setting that may hold a secret is marked as one', () => {
    const secrets = settings.filter(([, { secret }]) => secret).map(([name]) => name);
    expect(secrets).toEqual(['REDIS_URL', 'JWT_SECRET', 'JWT_SECRET_FILE']);
  });
});

describe('JWT_SECRET', () => {
  test('is required with REDIS_URL, because nodes that share a Redis must accept the same tokens', () => {
    expect(faultsOf({ REDIS_URL: 'redis://redis.example' })).toEqual([
      'JWT_SECRET or JWT_SECRET_FILE must be set together with REDIS_URL, the same on every node (try: openssl rand -hex 32)',
    ]);
    expect(readConfig({ REDIS_URL: 'redis://redis.example', JWT_SECRET: SECRET }).JWT_SECRET?.setting()).toBe(
      SECRET,
    );
  });

  test('has its minimum length in bytes', () => {
    expect(faultsOf({ JWT_SECRET: SECRET.slice(1) })).toEqual(['JWT_SECRET must be at least 32 bytes']);
    expect(faultsOf({ JWT_SECRET: 'éßæøåüñçðþłœšžǎ' })).toHaveLength(1);
    expect(faultsOf({ JWT_SECRET: 'éßæøåüñçðþłœšžǎơ' })).toEqual([]);
  });

  test('is reported once if it is too short', () => {
    expect(faultsOf({ JWT_SECRET: 'short', REDIS_URL: 'redis://redis.example' })).toHaveLength(1);
  });
});

describe('JWT_SECRET_FILE', () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-config-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const fileWith = (content: string | Uint8Array) => {
    const file = join(folder, randomUUID());
    writeFileSync(file, content, { mode: 0o444 }); // as Docker mounts secrets
    return file;
  };

  test('names a file that is used like JWT_SECRET, with or without REDIS_URL', () => {
    const file = fileWith(`${SECRET}\n`);
    expect(readConfig({ JWT_SECRET_FILE: file }).JWT_SECRET?.setting()).toBe(SECRET);
    const config = readConfig({ REDIS_URL: 'redis://redis.example', JWT_SECRET_FILE: file });
    expect(config.JWT_SECRET?.setting()).toBe(SECRET);
  });

  test('may name a link to a list of secrets, and the mode of the file is not changed', () => {
    const other = 'another secret of thirty-two bytes or so';
    const file = fileWith(`${other}\n${SECRET}\n`);
    const link = join(folder, 'link');
    symlinkSync(file, link);
    expect(readConfig({ JWT_SECRET_FILE: link }).JWT_SECRET?.setting()).toBe(`${other},${SECRET}`);
    expect(statSync(file).mode & 0o777).toBe(0o444);
  });

  test('cannot be set together with JWT_SECRET', () => {
    expect(faultsOf({ JWT_SECRET: SECRET, JWT_SECRET_FILE: fileWith(SECRET) })).toEqual([
      'JWT_SECRET and JWT_SECRET_FILE are both set; set only one',
    ]);
  });

  test.each([
    ['missing', () => join(folder, 'hunter2'), 'the path of an existing file'],
    ['a directory', () => folder, 'the path of a readable file (it is not a file)'],
    ['the secret itself', () => 'hunter2'.repeat(50), 'the path of a readable file (ENAMETOOLONG)'],
    ['empty', () => fileWith(''), 'the path of a file whose content is at least 32 bytes'],
    ['too short', () => fileWith('hunter2'), 'the path of a file whose content is at least 32 bytes'],
    ['not text', () => fileWith(Uint8Array.of(0xff, 0xfe, 0x00)), 'the path of a text file'],
    [
      'a placeholder',
      () => fileWith('hunter2-changeme-changeme-please-now'),
      'the path of a file whose content is random (openssl rand -hex 32), not a placeholder or a well-known value',
    ],
  ])(
    'is rejected when the file is %s, in one line that contains neither path nor content',
    (_, file, rule) => {
      const faults = faultsOf({ JWT_SECRET_FILE: file(), REDIS_URL: 'redis://redis.example' });
      expect(faults).toEqual([`JWT_SECRET_FILE must be ${rule}`]);
    },
  );
});

describe('the syntax of values', () => {
  test.each([
    ['50/10', { max: 50, windowMs: 10_000 }],
    ['1/1', { max: 1, windowMs: 1_000 }],
    ['0', { max: 0, windowMs: 1_000 }],
    ['0/60', { max: 0, windowMs: 60_000 }],
  ])('%s is a limit', (value, limit) => {
    expect(readConfig({ SEND_LIMIT: value }).SEND_LIMIT).toEqual(limit);
  });

  test.each(['5', '5/', '/5', '5/0', '-1/5', '5/-1', '1/2/3', '5 / 1', '1.5/2', '1000000/1', 'off'])(
    '%s is not a limit',
    (value) => {
      expect(faultsOf({ SEND_LIMIT: value })).toHaveLength(1);
    },
  );

  test.each([
    'redis://127.0.0.1:6379',
    'rediss://user:word@redis.example:6380/2',
    'unix:///run/redis/redis.sock',
    '/run/redis/redis.sock',
    'redis+sentinel://a,b/main',
  ])('%s is a Redis address', (value) => {
    expect(readConfig({ REDIS_URL: value, JWT_SECRET: SECRET }).REDIS_URL).toBe(value);
  });

  test.each(['localhost:6379', 'http://redis.example', 'redis://', 'unix://', 'redis.sock'])(
    '%s is not a Redis address',
    (value) => {
      expect(faultsOf({ REDIS_URL: value, JWT_SECRET: SECRET })).toHaveLength(1);
    },
  );

  test.each(['', 'parley:', 'team.chat-2:', 'a'.repeat(64)])('%s is a key prefix', (value) => {
    expect(readConfig({ KEY_PREFIX: value }).KEY_PREFIX).toBe(value || 'parley:');
  });

  // Braces would move the cluster slot, an asterisk would widen a pattern.
  test.each(['{chat}', 'chat*', 'a b', 'é', 'a'.repeat(65)])('%s is not a key prefix', (value) => {
    expect(faultsOf({ KEY_PREFIX: value })).toHaveLength(1);
  });

  test('CORS_ORIGINS is a list of origins', () => {
    const { CORS_ORIGINS } = readConfig({ CORS_ORIGINS: 'https://app.example, http://localhost:5173,' });
    expect(CORS_ORIGINS).toEqual(['https://app.example', 'http://localhost:5173']);
    expect(readConfig({ CORS_ORIGINS: '*' }).CORS_ORIGINS).toEqual(['*']);
  });

  test.each([
    ['https://app.example/', 'https://app.example'],
    ['HTTPS://App.Example:443', 'https://app.example'],
    ['http://[::1]:5173', 'http://[::1]:5173'],
    ['https://bücher.example', 'https://xn--bcher-kva.example'],
    ['tauri://localhost', 'tauri://localhost'],
    ['capacitor://localhost/', 'capacitor://localhost'],
    ['ionic://localhost', 'ionic://localhost'],
    ['app://obsidian.md', 'app://obsidian.md'],
    ['app://.', 'app://.'],
    ['vscode-webview://0c1d2e', 'vscode-webview://0c1d2e'],
    ['chrome-extension://abcdefghijklmnop', 'chrome-extension://abcdefghijklmnop'],
    ['moz-extension://6a1b-0f', 'moz-extension://6a1b-0f'],
    ['safari-web-extension://E5F0-AB', 'safari-web-extension://E5F0-AB'],
    ['file://', 'file://'],
    ['file:///', 'file://'],
    ['null', 'null'],
  ])('%s is an origin, which browsers send as %s', (value, sent) => {
    expect(readConfig({ CORS_ORIGINS: value }).CORS_ORIGINS).toEqual([sent]);
  });

  test.each([
    'app.example',
    'localhost:3000',
    'https://',
    'https://app.example//',
    'https://app.example/chat',
    'https://app.example/?x',
    'https://app.example#x',
    'https://user@app.example',
    'https://user:word@app.example',
    'https://*.app.example',
    'https://app.example:99999',
    'https://app.example:port',
    'tauri://localhost/path',
    'tauri://*',
    'tauri:localhost',
    'file:///home/me',
    'NULL',
    'data:text/html,x',
  ])('%s is not an origin', (value) => {
    expect(faultsOf({ CORS_ORIGINS: value })).toHaveLength(1);
  });

  test.each([
    ['true', true],
    ['false', false],
    ['2', 2],
    ['loopback, 10.0.0.0/8', 'loopback, 10.0.0.0/8'],
  ])('TRUST_PROXY accepts %s', (value, trust) => {
    expect(readConfig({ TRUST_PROXY: value }).TRUST_PROXY).toBe(trust);
  });
});
