// npm run dev: Parley from its sources, with everything it needs (a private Redis, data in .data/dev), restarted when a
// source changes. Registers alice and bob, and prints their access tokens with curl lines to paste. Reachable from
// this machine only, because everybody knows the password. Types are not checked here: npm run check does.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { watch } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { bundlePage, copyReference } from './bundle.mjs';

process.chdir(fileURLToPath(new URL('..', import.meta.url)));

const PASSWORD = 'correct horse battery';
/** Convenient while developing. The environment may override these. */
const RELAXED = {
  BCRYPT_COST: '10',
  ACCESS_TTL_SECONDS: '86400',
  LOGIN_LIMIT: '0',
  LOGIN_SUCCESS_LIMIT: '0',
  REGISTER_LIMIT: '0',
};
/** Never a real Redis or another address, whatever the environment or .env says. */
const FIXED = {
  HOST: '127.0.0.1',
  REDIS_URL: '',
  JWT_SECRET: '',
  JWT_SECRET_FILE: '',
  DATA_DIR: '.data/dev',
};

/** What the builds write beside the sources. */
const GENERATED = /\.min\.|swagger-ui|LICENSE|NOTICE|\/dist\//;
const SETTLE_MS = 150;

let server;
let printed = '';

function start() {
  server = spawn(process.execPath, ['--import', 'tsx', 'src/main.ts'], {
    env: { ...RELAXED, ...process.env, ...FIXED },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const mine = server;
  let output = '';
  mine.stdout.setEncoding('utf8').on('data', (text) => {
    process.stdout.write(text);
    if (output === undefined) return;
    output += text;
    const url = /Parley listens on ([^\s"]+)/.exec(output)?.[1];
    if (!url) return;
    output = undefined;
    seed(url).catch((error) => {
      if (mine === server) process.stderr.write(`dev: cannot log alice and bob in: ${error.message}\n`);
    });
  });
  mine.once('exit', (code) => {
    if (mine === server) process.stderr.write(`dev: Parley exited (${code}); waiting for a change\n`);
  });
}

async function stop() {
  const mine = server;
  server = undefined;
  if (!mine || mine.exitCode !== null || mine.signalCode !== null) return;
  const exited = once(mine, 'exit');
  mine.kill('SIGTERM');
  await exited;
}

const post = (url, body) =>
  fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(body),
  });

async function tokenOf(url, username) {
  const credentials = { username, password: PASSWORD };
  const registered = await post(`${url}/v1/register`, credentials);
  if (registered.status !== 201 && registered.status !== 409) throw new Error(await registered.text());
  const login = await post(`${url}/v1/login`, credentials);
  if (!login.ok) throw new Error(await login.text());
  return (await login.json()).accessToken;
}

const tokens = new Map();

/** Tokens outlive a restart when the private Redis is durable: they are then neither replaced nor printed again. */
async function seed(url) {
  for (const name of ['alice', 'bob']) {
    const headers = { Authorization: `Bearer ${tokens.get(name)}` };
    const isValid = tokens.has(name) && (await fetch(`${url}/v1/me`, { headers })).ok;
    if (!isValid) tokens.set(name, await tokenOf(url, name));
  }
  const json = "-H 'Content-Type: application/json'";
  const text = `  The password of alice and bob is "${PASSWORD}". To try the API, paste this into two terminals:

ALICE=${tokens.get('alice')}
BOB=${tokens.get('bob')}

  In one terminal, bob listens (Ctrl-C ends it):

curl -N ${url}/v1/events -H "Authorization: Bearer $BOB"

  In the other, alice writes to bob, and to everybody:

curl ${url}/v1/dm/bob -H "Authorization: Bearer $ALICE" ${json} -d '{"text":"Hello, Bob"}'
curl ${url}/v1/broadcasts -H "Authorization: Bearer $ALICE" ${json} -d '{"text":"Hello, all"}'

  Watching src/, clients/ and openapi.yaml.
`;
  process.stdout.write(text === printed ? '  The tokens are still valid.\n' : text);
  printed = text;
}

const changed = new Set();
let isRestarting = false;

async function restart() {
  isRestarting = true;
  await sleep(SETTLE_MS); // editors write a file in several steps
  while (changed.size > 0) {
    const files = [...changed];
    changed.clear();
    process.stdout.write(`\ndev: ${files.join(', ')} changed\n`);
    try {
      if (files.some((file) => /^clients\/(web|sdk)\//.test(file))) await bundlePage('clients/web');
      await stop();
      start();
    } catch (error) {
      process.stderr.write(`dev: ${error.message}\n`);
    }
  }
  isRestarting = false;
}

function onChange(file) {
  if (GENERATED.test(file)) return;
  changed.add(file);
  if (!isRestarting) void restart();
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await stop();
    process.exit(0);
  });
}
await bundlePage('clients/web');
copyReference('src/http/docs');
for (const folder of ['src', 'clients'])
  watch(folder, { recursive: true }, (_, file) => file && onChange(`${folder}/${file}`));
watch('.', (_, file) => file === 'openapi.yaml' && onChange(file)); // the folder: editors replace files
start();
