// Secrets that sign: which are taken, how the file beside the data is made, and what is done about one that is damaged.
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
import { type BadSecret, keptSecrets, parseSecrets } from '../src/secrets.ts';

const HEX = '7ad2bd1a5a8f4c1f9b0d5c3e2a1f60798e4d3b2c1a09f8e7d6c5b4a392817f60';
const OTHER = 'Xo9k2uVfQ1zT7sYb4cRwE8nHj3mLp6gD';
const faultOf = (text: string): string => {
  try {
    parseSecrets(text);
    return '';
  } catch (error) {
    return (error as BadSecret).message;
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
  ])('is taken when it is long enough and nothing tells against it: %s', (text) => {
    expect(faultOf(text)).toBe('');
    expect(parseSecrets(text).setting()).toBe(text);
  });

  test('as random generators make it is never refused', () => {
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
    ['a'.repeat(32), 'over and over'],
    ['0'.repeat(64), 'over and over'],
    [`${'a'.repeat(40)}b`, 'over and over'],
    ['ab'.repeat(20), 'over and over'],
    ['0123456789abcdef'.repeat(2), 'over and over'],
    ['secretsecretsecretsecretsecretsecret', 'over and over'],
    ['hunter2-hunter2-hunter2-hunter2-', 'over and over'],
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
  ])('is refused, and not repeated: %j', (text, why) => {
    const fault = faultOf(text);
    expect(fault).toContain(why);
    if (text) expect(fault).not.toContain(text);
  });

  test('has no white space or line break around it that anybody meant', () => {
    const [plain, spaced] = [HEX, `  ${HEX}\t\r\n\n`].map((text) => parseSecrets(text));
    expect(spaced!.setting()).toBe(plain!.setting());
    expect(faultOf(`\ufeff${HEX}`)).toBe('');
  });

  test('signs with its very bytes', () => {
    const [key] = parseSecrets(OTHER).keys;
    const mac = (by: Parameters<typeof createHmac>[1]) => createHmac('sha256', by).update('x').digest('hex');
    expect(mac(key!)).toBe(mac(Buffer.from(OTHER)));
  });
});

describe('a list of secrets', () => {
  test.each([`${HEX},${OTHER}`, `${HEX}, ${OTHER}`, `${HEX}\n${OTHER}\n`, `${HEX}\r\n${OTHER}\r\n`])(
    'has a comma or a line break between them: %j',
    (text) => {
      expect(parseSecrets(text)).toMatchObject({ keys: { length: 2 } });
      expect(parseSecrets(text).setting()).toBe(`${HEX},${OTHER}`);
    },
  );

  test('may not have a weak one among them, nor an empty place that another would take', () => {
    expect(faultOf(`${HEX},short`)).toMatch(/^at least 32 bytes \(a comma/);
    for (const text of [`,${HEX}`, `${HEX},,${OTHER}`, `${HEX},`])
      expect(faultOf(text)).toContain('without an empty place');
    const many = Array.from({ length: 9 }, (_, index) => `${index}${HEX}`).join(',');
    expect(faultOf(many)).toContain('at most 8');
  });

  test('gives a key for another purpose for each of them: by label and secret, never the secret itself', () => {
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
const kept = () => keptSecrets(folder, (warning) => warnings.push(warning)).setting();

beforeEach(() => {
  folder = join(mkdtempSync(join(tmpdir(), 'parley-secret-')), 'data');
  file = join(folder, 'jwt-secret');
  warnings = [];
  mkdirSync(folder);
  onTestFinished(() => rmSync(join(folder, '..'), { recursive: true, force: true }));
});

describe('the secret beside the data', () => {
  test('is made once, for its owner alone, and nothing else is left behind', () => {
    const first = kept();
    expect(first).toMatch(/^[0-9a-f]{64}$/);
    expect(kept()).toBe(first);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
    expect(warnings).toEqual([]);
  });

  test('is kept as it is when it was written by hand, with a list in it', () => {
    writeFileSync(file, `${HEX}\n${OTHER}\n`, { mode: 0o600 });
    expect(kept()).toBe(`${HEX},${OTHER}`);
  });

  test.each([
    ['empty', ''],
    ['cut off', HEX.slice(0, 12)],
    ['only white space', '  \n\n'],
    ['zeros, as after a power cut', '\u0000'.repeat(64)],
    ['bytes that are no text', Buffer.from('ff'.repeat(48), 'hex')],
    ['one character', 'a'.repeat(64)],
    ['a placeholder', 'changeme-changeme-changeme-changeme'],
  ])('that is damaged (%s) is not used and not replaced, and the cure is named', (_, bytes) => {
    writeFileSync(file, bytes, { mode: 0o600 });
    expect(kept).toThrow(/^the secret in \S+jwt-secret is damaged, .*remove the file and a new one is made/);
    expect(readFileSync(file)).toEqual(Buffer.from(bytes));
  });

  test('that others could read is closed to them, and that is reported', () => {
    writeFileSync(file, HEX);
    chmodSync(file, 0o644);
    expect(kept()).toBe(HEX);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(warnings).toEqual([expect.stringContaining('could be read by other users')]);
  });

  test('may be a link to a mounted secret, but to nothing else', () => {
    const mounted = join(folder, 'mounted');
    writeFileSync(mounted, HEX, { mode: 0o600 });
    symlinkSync(mounted, file);
    expect(kept()).toBe(HEX);
    rmSync(mounted);
    expect(kept).toThrow('a link that leads nowhere');
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });

  test.each([
    ['a directory', () => mkdirSync(file), 'not a file'],
    ['a pipe, which nobody writes to', () => spawnSync('mkfifo', [file]), 'not a file'],
    ['something large', () => writeFileSync(file, 'x'.repeat(100_000), { mode: 0o600 }), 'too large'],
  ])('is not %s', (_, make, why) => {
    make();
    expect(kept).toThrow(why);
  });

  test('goes by what another start has made meanwhile, and never over it', () => {
    const { writeFileSync: write } = fs;
    // The other start is quicker, by a hair.
    fs.writeFileSync = (...args) => {
      fs.writeFileSync = write;
      syncBuiltinESMExports();
      write(...args);
      write(file, OTHER, { mode: 0o600 });
    };
    syncBuiltinESMExports();
    expect(kept()).toBe(OTHER);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });

  test('is whole or not there when the disk is full, and made when there is room again', () => {
    const script = `
      import { keptSecrets } from ${JSON.stringify(new URL('../src/secrets.ts', import.meta.url).href)};
      keptSecrets(${JSON.stringify(folder)}, () => {});`;
    const args = ['--import', import.meta.resolve('tsx'), '--input-type=module', '--eval', script];
    // No file may grow at all.
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
    expect(kept()).toHaveLength(64);
  });

  test('leaves nothing of a start that ended in between: its draft is removed later', () => {
    const draft = `${file}.0123456789abcdef.tmp`;
    writeFileSync(draft, '');
    utimesSync(draft, new Date(0), new Date(0));
    expect(kept()).toHaveLength(64);
    expect(readdirSync(folder)).toEqual(['jwt-secret']);
  });
});
