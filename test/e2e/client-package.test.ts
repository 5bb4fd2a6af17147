// The client package made by `npm pack`, installed into an empty project: used from TypeScript under both resolutions, from
// JavaScript, and bundled for a browser.
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { createContext, runInContext } from 'node:vm';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { publint } from 'publint';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { listen, person, startNode, tell, until } from '../kit/app.ts';
import { type Installed, installPacked } from '../kit/package.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BROWSER_BYTES = { minified: 24_000, compressed: 10_000 };
const run = promisify(execFile);
const tool = (name: string): string => join(ROOT, 'node_modules/.bin', name);
let client: Installed;
let project: string;

beforeAll(async () => {
  client = await installPacked('clients/sdk');
  project = client.project;
});

afterAll(() => client?.remove());

test('publint finds nothing in the package', async () => {
  const pack = { tarball: new Uint8Array(readFileSync(client.tarball)).buffer };
  expect((await publint({ pack, strict: true })).messages).toEqual([]);
});

test('its types are right for every kind of import that an ES module allows', async () => {
  // The profile leaves out CommonJS and the resolution of Node 10, which know no ES modules.
  const { stdout } = await run(tool('attw'), [client.tarball, '--profile', 'esm-only', '--no-emoji'], {
    env: { PATH: process.env['PATH'], FORCE_COLOR: '0' },
  });
  expect(stdout).toMatch(/node16 \(from ESM\) │ OK \(ESM\)/);
});

test('installs two dependencies and nothing of the server', () => {
  const names = readdirSync(join(project, 'node_modules')).filter((name) => !name.startsWith('.'));
  expect(names.sort()).toEqual([
    '@parley-chat',
    'eventsource-parser',
    'openapi-fetch',
    'openapi-typescript-helpers',
  ]);
});

test('its source maps contain the sources', () => {
  const dist = join(project, 'node_modules/@parley-chat/client/dist');
  const maps = readdirSync(dist).filter((name) => name.endsWith('.js.map'));
  expect(maps).toContain('events.js.map');
  for (const name of maps) {
    const { sourcesContent } = JSON.parse(readFileSync(join(dist, name), 'utf8'));
    expect(sourcesContent).toEqual([
      readFileSync(join(ROOT, 'clients/sdk/src', name.replace('.js.map', '.ts')), 'utf8'),
    ]);
  }
});

/** The how-to guide's example must compile too. */
const README = /^```ts\n(.*?)^```$/ms.exec(
  readFileSync(join(ROOT, 'docs/how-to/use-the-typed-client.md'), 'utf8'),
)![1]!;
const PROGRAM = `
import { createParley, type components, type paths, type Problem, type StreamEvent } from '@parley-chat/client';
import metadata from '@parley-chat/client/package.json' with { type: 'json' };

const limit: NonNullable<paths['/v1/online']['get']['parameters']['query']>['limit'] = 5;
const account: components['schemas']['Account']['username'] = metadata.name;
console.log(limit, account);

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
  const { stdout } = await run(tool('tsc'), ['-p', project]).catch((error: { stdout: string }) => error);
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
  const env = { PATH: process.env['PATH'], PARLEY_PASSWORD: 'correct horse battery' };
  const bot = spawn(process.execPath, ['echo-bot.js', node.url], { cwd: project, env, stdio: 'inherit' });
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

// Some edge runtimes, such as Cloudflare Workers, forbid these while modules are loaded.
test('loads where timers, requests, random numbers and abort controllers are forbidden outside of a call', async () => {
  const { outputFiles } = await build({
    stdin: { contents: `export * from '@parley-chat/client'`, resolveDir: project },
    ...{ bundle: true, platform: 'browser', format: 'iife', globalName: 'client', write: false },
  });
  const forbidden = () => {
    throw new Error('not allowed while modules are loaded');
  };
  const globals = ['AbortController', 'fetch', 'setTimeout', 'setInterval', 'queueMicrotask', 'Request'];
  const context = createContext({
    ...Object.fromEntries(globals.map((name) => [name, forbidden])),
    crypto: { getRandomValues: forbidden, randomUUID: forbidden },
    AbortSignal: { timeout: forbidden, any: forbidden },
    ...{ TextDecoderStream, TransformStream, URL },
  });
  runInContext(`Math.random = Date.now = AbortController;\n${outputFiles[0]!.text}`, context);
  expect(runInContext('typeof client.createParley', context)).toBe('function');
});

test('everything public has a description, from which the API documentation is generated', async () => {
  const options = ['--options', join(ROOT, 'clients/sdk/typedoc.json'), '--out', join(project, 'docs')];
  const { stderr } = await run(tool('typedoc'), options, { cwd: ROOT }).catch(
    (error: { stderr: string }) => error,
  );
  expect(stderr).not.toMatch(/warning|error/);
  expect(readdirSync(join(project, 'docs'))).toContain('index.html');
});
