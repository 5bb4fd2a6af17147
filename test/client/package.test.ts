// The package of the client made by `npm pack`, installed into an empty project (its two dependencies are linked from here, so the test
// needs no registry): used from TypeScript under both resolutions, from JavaScript, and bundled for a browser.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, tell, until } from '../support/app.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BROWSER_BYTES = { minified: 24_000, compressed: 10_000 };
const run = promisify(execFile);
const project = mkdtempSync(join(tmpdir(), 'parley-package-'));
const packed = join(project, 'node_modules/@parley-chat/client');
const tsc = join(ROOT, 'node_modules/.bin/tsc');

beforeAll(async () => {
  await run('npm', ['pack', '--silent', '--pack-destination', project], { cwd: join(ROOT, 'clients/sdk') });
  mkdirSync(packed, { recursive: true });
  await run('tar', [
    '-xzf',
    join(project, 'parley-chat-client-0.1.0.tgz'),
    '-C',
    packed,
    '--strip-components=1',
  ]);
  for (const name of ['openapi-fetch', 'eventsource-parser', 'openapi-typescript-helpers']) {
    symlinkSync(join(ROOT, 'node_modules', name), join(project, 'node_modules', name));
  }
  writeFileSync(join(project, 'package.json'), '{ "type": "module" }');
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

/** The how-to guide's example must compile too. */
const README = /^```ts\n(.*?)^```$/ms.exec(
  readFileSync(join(ROOT, 'docs/how-to/use-the-typed-client.md'), 'utf8'),
)![1]!;
const PROGRAM = `
import { createParley, type Problem, type StreamEvent } from '@parley-chat/client';

const parley = createParley({ baseUrl: 'http://127.0.0.1:3000' });
const { data, problem } = await parley.sendDirect('bob', 'Hi');
if (problem) tell(problem);
else console.log(data.id.length, data.to);

function tell(problem: Problem): void {
  if (problem.code === 'too_many_requests') console.log(problem.retryAfterSeconds);
  if (problem.code === 'validation_failed') console.log(problem.errors[0]?.pointer);
  // @ts-expect-error: the set is closed
  if (problem.code === 'no_such_code') console.log(problem);
}

for await (const event of parley.events({ presence: 'count' })) show(event);

function show(event: StreamEvent): string {
  switch (event.kind) {
    case 'dm':
      return event.to;
    case 'broadcast':
      // @ts-expect-error: a broadcast is to nobody in particular
      return event.to;
    case 'gap':
      return event.history;
    default:
      return event.kind;
  }
}

// @ts-expect-error: a text is not a number
await parley.sendBroadcast(5);
`;

test.each([
  ['NodeNext', { module: 'NodeNext' }],
  ['Bundler', { module: 'ESNext', moduleResolution: 'Bundler' }],
])('compiles in a strict TypeScript project with %s resolution', async (_, resolution) => {
  const strict = { strict: true, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true };
  const compilerOptions = { ...strict, ...resolution, noEmit: true, target: 'ES2022', types: [] };
  writeFileSync(
    join(project, 'tsconfig.json'),
    JSON.stringify({ compilerOptions, files: ['program.ts', 'readme.ts'] }),
  );
  writeFileSync(join(project, 'program.ts'), PROGRAM);
  writeFileSync(join(project, 'readme.ts'), README);
  const { stdout } = await run(tsc, ['-p', project]).catch((error: { stdout: string }) => error);
  expect(stdout).toBe('');
});

test('works from plain JavaScript', async () => {
  const { url } = await startNode();
  writeFileSync(
    join(project, 'program.js'),
    `import { createParley } from '@parley-chat/client';
    const parley = createParley({ baseUrl: '${url}' });
    const who = { username: 'alice', password: 'correct horse battery' };
    await parley.register(who);
    await parley.login(who);
    for await (const event of parley.events()) if (event.kind === 'ready') break;
    const { problem } = await parley.getUser('nobody');
    console.log(problem.code);`,
  );
  const { stdout, stderr } = await run(process.execPath, ['program.js'], { cwd: project, timeout: 15_000 });
  expect([stdout, stderr]).toEqual(['unknown_user\n', '']);
});

test('examples/echo-bot.js replies with the text it receives', async () => {
  const node = await startNode();
  copyFileSync(join(ROOT, 'examples/echo-bot.js'), join(project, 'echo-bot.js'));
  const bot = spawn(process.execPath, ['echo-bot.js', node.url], { cwd: project, stdio: 'inherit' });
  onTestFinished(async () => {
    bot.kill();
    await once(bot, 'exit');
  });
  const bob = await person(node, 'bob');
  const stream = await listen(bob);
  await until(
    'the bot has registered',
    async () => (await tell(bob, 'echo', 'Hello?')).status === 201,
    10_000,
  );
  expect((await stream.next('dm')).data).toMatchObject({ from: 'echo', to: 'bob', text: 'Hello?' });
});

test('bundles for browsers within its size limit, without Node modules', async () => {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '@parley-chat/client'`, resolveDir: project },
    ...{ bundle: true, minify: true, platform: 'browser', format: 'esm', write: false, logLevel: 'silent' },
  });
  const bundle = outputFiles[0]!.contents;
  expect(Buffer.from(bundle).toString()).not.toMatch(/from ?"node:|require\(/);
  expect(bundle.length).toBeLessThan(BROWSER_BYTES.minified);
  expect(gzipSync(bundle, { level: 9 }).length).toBeLessThan(BROWSER_BYTES.compressed);
});
