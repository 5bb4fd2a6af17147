/** How `.env` is read, and that a process uses it. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { readEnvFile } from '../../src/env-file.ts';
import { call } from '../kit/contract.ts';
import { startProcess } from '../kit/process.ts';

function emptyFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'parley-env-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

function fileWith(content: string | Uint8Array): string {
  const file = join(emptyFolder(), '.env');
  writeFileSync(file, content);
  return file;
}

describe('reading a file', () => {
  test('returns nothing when there is none', () => {
    expect(readEnvFile(join(emptyFolder(), '.env'))).toEqual({});
  });

  test.each([
    ['', {}],
    ['\n\n# a comment\n  # another\n', {}],
    ['PORT=8080', { PORT: '8080' }],
    ['PORT=8080\r\nHOST=::1\r\n', { PORT: '8080', HOST: '::1' }],
    ['\ufeffPORT=8080\n', { PORT: '8080' }],
    ['  export PORT = 8080  # the usual one\n', { PORT: '8080' }],
    ['HOSTS=\nPORT= # empty\n', { HOSTS: '', PORT: '' }],
    [`REDIS_URL="redis://:pa#ss'@host" # comment\n`, { REDIS_URL: "redis://:pa#ss'@host" }],
    ["A='one # two'\nB=`three`", { A: 'one # two', B: 'three' }],
    ['JWT_SECRET="new\nold"\nPORT=1\n', { JWT_SECRET: 'new\nold', PORT: '1' }],
    ['PORT=1\nPORT=2\n', { PORT: '2' }],
    ["NOTE=it's fine\n", { NOTE: "it's fine" }],
  ])('understands %j', (content, expected) => {
    expect(readEnvFile(fileWith(content))).toEqual(expected);
  });

  test.each([
    ['PORT 8080', 1],
    ['PORT: 8080', 1],
    ['PORT=1\n\nhunter2\n', 3],
    ['PORT=1\n=hunter2\n', 2],
    ['1PORT=hunter2', 1],
    ['PORT=1\nJWT_SECRET="hunter2\nHOST=::1\n', 2],
    ['JWT_SECRET="hunter2"more', 1],
    ['REDIS_URL=redis://:pa#hunter2@host', 1],
  ])('rejects %j and names line %i without its content', (content, line) => {
    const file = fileWith(content);
    expect(() => readEnvFile(file)).toThrow(`line ${line} of ${file} is not NAME=value;`);
    expect(() => readEnvFile(file)).not.toThrow('hunter2');
  });

  test('rejects a directory, and bytes that are not UTF-8', () => {
    const folder = emptyFolder();
    expect(() => readEnvFile(folder)).toThrow(`${folder} is a directory`);
    expect(() => readEnvFile(fileWith(Uint8Array.of(0x41, 0x3d, 0xff)))).toThrow('is not UTF-8 text');
  });

  test('names the reason when a file cannot be read', () => {
    const file = join(fileWith('PORT=1'), '.env');
    expect(() => readEnvFile(file)).toThrow(`${file} cannot be read (ENOTDIR)`);
  });
});

describe('a process', () => {
  const WITHOUT_REDIS = { PATH: '/nonexistent' };

  test('uses .env of its directory, except for variables that are set; so do its workers', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, '.env'), 'HOSTS=from-file.example\nPORT=1\nSEND_LIMIT=0\nWORKERS=2\n');
    const parley = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: 'data', LOG_LEVEL: 'info' }, folder);
    expect(parley.output().match(/worker \S+ is listening/g)).toHaveLength(2);
    expect(new URL(parley.url).port).not.toBe('1');
    const response = await call(parley, 'liveness', { headers: { Host: 'from-file.example' } });
    expect(response.status).toBe(200);
  });

  test('reads JWT_SECRET_FILE once for all its workers', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, 'secret'), 'a secret of this test with thirty-two bytes or more\n');
    writeFileSync(join(folder, '.env'), 'JWT_SECRET_FILE=secret\nWORKERS=2\n');
    const parley = await startProcess({ ...WITHOUT_REDIS, DATA_DIR: 'data' }, folder);
    expect((await call(parley, 'readiness')).status).toBe(200);
  });

  test('exits with one line if .env is malformed or a directory', async () => {
    const folder = emptyFolder();
    writeFileSync(join(folder, '.env'), 'JWT_SECRET="hunter2\n');
    const malformed = await startProcess(WITHOUT_REDIS, folder);
    expect(await malformed.exited).toBe(1);
    expect(malformed.output()).toMatch(/^parley: line 1 of \.env is not NAME=value; [^\n]+\n$/);
    expect(malformed.output()).not.toContain('hunter2');
    rmSync(join(folder, '.env'));
    mkdirSync(join(folder, '.env'));
    const directory = await startProcess(WITHOUT_REDIS, folder);
    expect(await directory.exited).toBe(1);
    expect(directory.output()).toMatch(/^parley: \.env is a directory; [^\n]+\n$/);
  });
});
