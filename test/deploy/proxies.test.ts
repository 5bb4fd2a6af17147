/** The recipes of docs/deploy with the real proxies of the distribution. Without one it is left out, loudly; never on CI. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { person, startNode, type TestNode, tell, until } from '../support/app.ts';
import { freePort } from '../support/process.ts';
import { openStream } from '../support/stream.ts';

const PATH = `${process.env['PATH']}:/usr/sbin`;
/** Instead of the recipes' minute. Parley's heartbeat is then a second. */
const IDLE_SECONDS = 2;
const recipe = (file: string): string =>
  readFileSync(new URL(`../../docs/deploy/${file}`, import.meta.url), 'utf8');
const nginxMain = (folder: string, servers: string): string =>
  `worker_processes 1; pid ${folder}/pid; daemon off; error_log ${folder}/log; events {} http { access_log off; ` +
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${folder}/${each};`)
    .join(' ') +
  `\n${servers}\n}`;
const APACHE_MODULES = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'alias'];
const apacheMain = (folder: string, host: string): string =>
  `ServerRoot ${folder}\nDefaultRuntimeDir ${folder}\nPidFile ${folder}/pid\nErrorLog ${folder}/log\nUser www-data\nGroup www-data\n` +
  APACHE_MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join(
    '',
  ) +
  host;

type Proxy = {
  command: string;
  file: string;
  /** The whole configuration, out of the recipe's. */
  whole: (folder: string, text: string) => string;
  args: (config: string) => string[];
  idle?: [from: string, to: string];
};
const PROXIES: Proxy[] = [
  {
    command: 'nginx',
    file: 'nginx.conf',
    whole: nginxMain,
    args: (config) => ['-c', config, '-e', `${config}.errors`],
    idle: ['60s', `${IDLE_SECONDS}s`],
  },
  {
    command: 'haproxy',
    file: 'haproxy.cfg',
    whole: (_, text) => text,
    args: (config) => ['-db', '-f', config],
    idle: ['60s', `${IDLE_SECONDS}s`],
  },
  {
    command: 'caddy',
    file: 'Caddyfile',
    whole: (_, text) => `{\n admin off\n auto_https off\n}\n${text}`,
    args: (config) => ['run', '--config', config, '--adapter', 'caddyfile'],
  },
  {
    command: 'apache2',
    file: 'apache.conf',
    whole: apacheMain,
    args: (config) => ['-DFOREGROUND', '-f', config],
    idle: ['ProxyTimeout 60', `ProxyTimeout ${IDLE_SECONDS}`],
  },
];

const isThere = ({ command }: Proxy): boolean =>
  spawnSync('which', [command], { env: { PATH } }).status === 0;

/** Starts it with its recipe, in front of `upstream`. Answers where it listens. */
async function start(proxy: Proxy, upstream: string, text = recipe(proxy.file)): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-proxy-'));
  chmodSync(folder, 0o777); // the workers of nginx and Apache are somebody else
  const port = await freePort();
  const config = join(folder, proxy.file);
  const [from, to] = proxy.idle ?? ['', ''];
  const own = text
    .replaceAll('127.0.0.1:3000', new URL(upstream).host)
    .replaceAll('8080', String(port))
    .replaceAll(from || '\0', to);
  writeFileSync(config, proxy.whole(folder, own));
  const env = { PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(proxy.command, proxy.args(config), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  for (const output of [child.stdout, child.stderr])
    output.setEncoding('utf8').on('data', (line) => (said += line));
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(kill);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const answers = () =>
    fetch(`${url}/livez`).then(
      ({ status }) => [200, 421].includes(status), // from Parley, and not from a proxy that is too early
      () => false,
    );
  await until(`${proxy.command} answers`, answers, 10_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${said}`);
  });
  return url;
}

/** From another loopback address, as another client. */
function registerFrom(
  localAddress: string,
  url: string,
  headers: http.OutgoingHttpHeaders = {},
): Promise<number> {
  const username = `u${Math.random().toString(36).slice(2)}`;
  return new Promise((resolve, reject) => {
    const all = { 'Content-Type': 'application/json', ...headers };
    const request = http.request(`${url}/v1/register`, {
      method: 'POST',
      localAddress,
      agent: false,
      headers: all,
    });
    request.on('error', reject).on('response', (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    request.end(JSON.stringify({ username, password: 'correct horse battery' }));
  });
}

async function isPrompt(node: TestNode, url: string): Promise<void> {
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const stream = await openStream(url, alice.token, { presence: 'off', query: { heartbeat: 'event' } });
  onTestFinished(() => stream.close());
  await stream.next('ready', 1_000);
  await tell(bob, 'alice', 'hello');
  await stream.next('dm', 1_000);
  await new Promise((resolve) => setTimeout(resolve, (IDLE_SECONDS + 2) * 1_000));
  expect(stream.isClosed).toBe(false);
  await tell(bob, 'alice', 'still there?');
  await stream.next('dm', 1_000);
}

for (const proxy of PROXIES) {
  const isHere = isThere(proxy);
  if (!isHere && process.env['CI']) throw new Error(`CI must try the recipes: install ${proxy.command}`);
  if (!isHere)
    process.stderr.write(`\n*** LEFT OUT: no ${proxy.command} here, so its recipe was not tried. ***\n\n`);

  describe.skipIf(!isHere)(proxy.command, () => {
    test.each(['', '/chat'])('streams are prompt and outlive its patience, at "%s/"', async (under) => {
      const node = await startNode({ TRUST_PROXY: '1', HEARTBEAT_SECONDS: '1' });
      await isPrompt(node, `${await start(proxy, node.url)}${under}`);
    });

    test('counts clients, not the proxy, and does not believe what they write', async () => {
      const node = await startNode({ TRUST_PROXY: '1', REGISTER_LIMIT: '1/3600' });
      const url = await start(proxy, node.url);
      expect(await registerFrom('127.0.0.2', url)).toBe(201);
      expect(await registerFrom('127.0.0.2', url)).toBe(429);
      expect(await registerFrom('127.0.0.2', url, { 'X-Forwarded-For': '192.0.2.7' })).toBe(429);
      expect(await registerFrom('127.0.0.3', url)).toBe(201);
    });

    test('passes the Host that the client asked for, and leads from /chat to /chat/', async () => {
      const node = await startNode({ TRUST_PROXY: '1', HOSTS: 'chat.example' });
      const url = await start(proxy, node.url);
      const statusFor = (Host: string, path: string): Promise<[number, string | undefined]> =>
        new Promise((resolve, reject) => {
          const request = http.get(url + path, { headers: { Host }, agent: false }, (response) => {
            response.resume();
            resolve([response.statusCode ?? 0, response.headers.location]);
          });
          request.on('error', reject);
        });
      expect((await statusFor('chat.example', '/v1/me'))[0]).toBe(401);
      expect((await statusFor('localhost', '/readyz'))[0]).toBe(200); // what HAProxy asks before it calls a node good
      expect((await statusFor('evil.example', '/v1/me'))[0]).toBe(421);
      const [status, location] = await statusFor('chat.example', '/chat');
      expect(status).toBe(301);
      expect(new URL(location!, url).pathname).toBe('/chat/');
      for (const page of ['/chat/', '/chat/docs', '/chat/openapi.json'])
        expect((await statusFor('chat.example', page))[0], page).toBe(200);
    });
  });
}

const nginx = PROXIES[0]!;
/** As a hosting panel or an ingress configures it: only the upstream. It passes X-Forwarded-For on unchanged. */
const plain = 'server { listen 8080; location / { proxy_pass http://127.0.0.1:3000; } }';

describe.skipIf(!isThere(nginx))('nginx behind nginx', () => {
  const INNER = [
    ['default settings', plain],
    ['the recipe', recipe('nginx.conf')],
  ] as const;

  test.each([
    ['the recipe in front of default settings', plain, recipe('nginx.conf')],
    [
      'default settings in front of one that passes X-Accel-Buffering on',
      plain.replace('proxy_pass ', 'proxy_pass_header X-Accel-Buffering; proxy_pass '),
      plain,
    ],
  ])('streams are prompt: %s', async (_, inner, outer) => {
    const node = await startNode({ TRUST_PROXY: '127.0.0.1', HEARTBEAT_SECONDS: '1' });
    await isPrompt(node, await start(nginx, await start(nginx, node.url, inner), outer));
  });

  test.each(INNER)(
    'clients are counted by address, and cannot write another one: %s inside',
    async (_, inner) => {
      const node = await startNode({ TRUST_PROXY: '127.0.0.1', REGISTER_LIMIT: '1/3600' });
      const url = await start(nginx, await start(nginx, node.url, inner));
      expect(await registerFrom('127.0.0.2', url)).toBe(201);
      expect(await registerFrom('127.0.0.2', url)).toBe(429);
      expect(await registerFrom('127.0.0.2', url, { 'X-Forwarded-For': '192.0.2.7' })).toBe(429);
      expect(await registerFrom('127.0.0.3', url)).toBe(201);
    },
  );

  test('one that does not pass Host on brings its own name for Parley, and the refusal says which', async () => {
    const named = `upstream parley { server 127.0.0.1:3000; } ${plain.replace('//127.0.0.1:3000', '//parley')}`;
    const answerWith = async (HOSTS: string): Promise<Response> => {
      const node = await startNode({ TRUST_PROXY: '1', HOSTS });
      return fetch(`${await start(nginx, node.url, named)}/v1/me`);
    };
    const refused = await answerWith('chat.example');
    expect(refused.status).toBe(421);
    expect(await refused.json()).toMatchObject({ detail: expect.stringContaining('host parley.') });
    expect((await answerWith('chat.example,parley')).status).toBe(401);
  });
});
