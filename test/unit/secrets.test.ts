// Signing secrets: which are accepted, how the file in the data directory is created, and what happens to a damaged one.
import { spawnSync } from 'node:child_process';
import { createHmac } from 'node:crypto';
import fs, {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { loadOrCreateSecrets } from '../../src/secret-file.ts';
import { type InvalidSecret, parseSecrets } from '../../src/secrets.ts';

const HEX = '7ad2bd1a5a8f4c1f9b0d5c3e2a1f60798e4d3b2c1a09f8e7d6c5b4a392817f60';
const OTHER = 'Xo9k2uVfQ1zT7sYb4cRwE8nHj3mLp6gD';
const faultOf = (text: string): string => {
  try {
    parseSecrets(text);
    return '';
  } catch (error) {
    return (error as InvalidSecret).message;
  }
};

describe('a secret', () => {
  test.each([
    HEX,
    OTHER,
    HEX.slice(0, 32),
    'correct horse battery staple tennis',
    'q3/0+Zz9=mD4kP7bW2xV5cN8jH1gF6sA',
    '床前明月光疑是地上霜举头望明月低头思故乡',
    'kit-secret-kit-secret-kit-secret-0123',
  ])('is accepted if it is long enough and shows no sign of being guessable: %s', (text) => {
    expect(faultOf(text)).toBe('');
    expect(parseSecrets(text).setting()).toBe(text);
  });

  test('from a random generator is never rejected', () => {
    const bytes = fc.uint8Array({ minLength: 32, maxLength: 48, size: 'max' });
    const forms = ['hex', 'base64', 'base64url'] as const;
    fc.assert(
      fc.property(
        bytes.filter((each) => new Set(each).size > 20),
        fc.constantFrom(...forms),
        (key, form) => {
          expect(faultOf(Buffer.from(key).toString(form))).toBe('');
        },
      ),
    );
  });

  test.each([
    ['', 'at least 32 bytes'],
    ['short', 'at least 32 bytes'],
    [HEX.slice(0, 31), 'at least 32 bytes'],
    ['a'.repeat(32), 'repetition'],
    ['0'.repeat(64), 'repetition'],
    [`${'a'.repeat(40)}b`, 'repetition'],
    ['ab'.repeat(20), 'repetition'],
    ['0123456789abcdef'.repeat(2), 'repetition'],
    ['secretsecretsecretsecretsecretsecret', 'repetition'],
    ['hunter2-hunter2-hunter2-hunter2-', 'repetition'],
    ['abcdefghijklmnopqrstuvwxyz123456', 'well-known'],
    ['qwertyuiopasdfghjklzxcvbnm123456', 'well-known'],
    ['changeme-changeme-changeme-please', 'placeholder'],
    ['changeme12345678901234567890123456', 'placeholder'],
    ['CHANGE_THIS_TO_A_LONG_RANDOM_STRING', 'placeholder'],
    ['please-replace-me-with-something-else', 'placeholder'],
    ['your-super-secret-jwt-token-with-at-least-32-characters-long', 'placeholder'],
    ['a-string-secret-at-least-256-bits-long', 'placeholder'],
    ['this is my very long default secret', 'placeholder'],
    [`${HEX.slice(0, 20)}\u0000${HEX.slice(20)}`, 'control characters'],
    [`${HEX.slice(0, 20)}\u001b${HEX.slice(20)}`, 'control characters'],
    [`${OTHER.slice(0, 20)}\ufffd${OTHER}`, 'control characters'],
  ])('is rejected with a reason that does not contain it: %j', (text, reason) => {
    const fault = faultOf(text);
    expect(fault).toContain(reason);
    if (text) expect(fault).not.toContain(text);
  });

  test('is read without the white space and line breaks around it', () => {
    const [plain, spaced] = [HEX, `  ${HEX}\t\r\n\n`].map((text) => parseSecrets(text));
    expect(spaced!.setting()).toBe(plain!.setting());
    expect(faultOf(`\ufeff${HEX}`)).toBe('');
  });

  test('signs with its bytes unchanged', () => {
    const [key] = parseSecrets(OTHER).keys;
    const mac = (by: Parameters<typeof createHmac>[1]) => createHmac('sha256', by).update('x').digest('hex');
    expect(mac(key!)).toBe(mac(Buffer.from(OTHER)));
  });
});

describe('a list of secrets', () => {
  test.each([`${HEX},${OTHER}`, `${HEX}, ${OTHER}`, `${HEX}\n${OTHER}\n`, `${HEX}\r\n${OTHER}\r\n`])(
    'is separated by commas or line breaks: %j',
    (text) => {
      expect(parseSecrets(text)).toMatchObject({ keys: { length: 2 } });
      expect(parseSecrets(text).setting()).toBe(`${HEX},${OTHER}`);
    },
  );

  test('rejects weak secrets, empty entries, and more than eight secrets', () => {
    expect(faultOf(`${HEX},short`)).toMatch(/^at least 32 bytes \(commas/);
    for (const text of [`,${HEX}`, `${HEX},,${OTHER}`, `${HEX},`])
      expect(faultOf(text)).toContain('without empty entries');
    const many = Array.from({ length: 9 }, (_, index) => `${index}${HEX}`).join(',');
    expect(faultOf(many)).toContain('at most 8');
  });

  test('derives a key per secret for another purpose, which depends on the label and is not the secret', () => {
    const hex = (text: string, label: string) =>
      parseSecrets(text)
        .derive(label)
        .map((key) => key.export().toString('hex'));
    expect(hex(`${HEX},${OTHER}`, 'device')).toEqual([...hex(HEX, 'device'), ...hex(OTHER, 'device')]);
    expect(hex(HEX, 'device')).not.toEqual(hex(HEX, 'other'));
    expect(hex(HEX, 'device')).not.toContain(Buffer.from(HEX).toString('hex'));
  });
});

let folder: string;
let file: string;
let warnings: string[];
const load = () => loadOrCreateSecrets(folder, (warning) => warnings.push(warning)).setting();

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'parley-secret-')), 'data');
  file = join(folder, 'jwt-secret');
  warnings = [];
  mkdirSync(folder);
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
});

describe('the secret in the data directory', () => {
  test('is created once, readable by its owner only, and no other file is left behind', () => {
    const first = load();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(load()).toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
    expect(warnings).toEqual([]);
  });

  test('may be a list that was written by hand', () => {
    writeFileSync(file, `${HEX}\n${OTHER}\n`, { mode: 0o600 });
    expect(load()).toBe(`${HEX},${OTHER}`);
  });

  test.each([
    ['empty', ''],
    ['cut off', HEX.slice(0, 12)],
    ['only white space', '  \n\n'],
    ['zeros, as after a power cut', '\u0000'.repeat(64)],
    ['bytes that are not text', Buffer.from('ff'.repeat(48), 'hex')],
    ['one character', 'a'.repeat(64)],
    ['a placeholder', 'changeme-changeme-changeme-changeme'],
  ])('is neither used nor replaced when it is damaged (%s), and the error says what to do', (_, bytes) => {
    writeFileSync(file, bytes, { mode: 0o600 });
    expect(load).toThrow(/^the secret in \S+jwt-secret is damaged: .*remove the file and restart/);
    expect(readFileSync(file)).toEqual(Buffer.from(bytes));
  });

  test('is restricted to its owner if others could read it, with a warning', () => {
    writeFileSync(file, HEX);
    chmodSync(file, 0o644);
    expect(load()).toBe(HEX);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([expect.stringContaining('was readable by other users')]);
  });

  test('may be a link to a mounted secret, but not a broken link', () => {
    const mounted = join(folder, 'mounted');
    writeFileSync(mounted, HEX, { mode: 0o600 });
    symlinkSync(mounted, file);
    expect(load()).toBe(HEX);
    rmSync(mounted);
    expect(load).toThrow('a broken link');
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });

  test.each([
    ['a directory', () => mkdirSync(file), 'not a file'],
    ['a pipe without a writer', () => spawnSync('mkfifo', [file]), 'not a file'],
    ['a large file', () => writeFileSync(file, 'x'.repeat(100_000), { mode: 0o600 }), 'too large'],
  ])('is rejected if it is %s', (_, make, reason) => {
    make();
    expect(load).toThrow(reason);
  });

  test('is read, not overwritten, if another process creates it at the same time', () => {
    const { writeFileSync: write } = fs;
    // The other process creates the file just before this one does.
    fs.writeFileSync = (...args) => {
      fs.writeFileSync = write;
      syncBuiltinESMExports();
      write(...args);
      write(file, OTHER, { mode: 0o600 });
    };
    syncBuiltinESMExports();
    expect(load()).toBe(OTHER);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });

  test('is not left incomplete when the disk is full, and is created once there is space', () => {
    const script = `
      import { loadOrCreateSecrets } from ${JSON.stringify(new URL('../../src/secret-file.ts', import.meta.url).href)};
      loadOrCreateSecrets(${JSON.stringify(folder)}, () => {});`;
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script];
    // No file may have any content.
    const full = spawnSync(
      'sh',
      ['-c', 'ulimit -f 0; exec "$0" "$@" 2>&1 | cat', process.execPath, ...args],
      {
        encoding: 'utf8',
        env: { ...process.env, TSX_DISABLE_CACHE: '1' },
      },
    );
    expect(full.stdout).toMatch(/the secret in \S+ cannot be used: EFBIG/);
    expect(readdirSync(folder)).toEqual([]);
    expect(load()).toHaveLength(64);
  });

  test('removes the temporary file of a process that was killed while creating it', () => {
    const temporary = `${file}.0123456789abcdef.tmp`;
    writeFileSync(temporary, '');
    utimesSync(temporary, new Date(0), new Date(0));
    expect(load()).toHaveLength(64);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });
});
