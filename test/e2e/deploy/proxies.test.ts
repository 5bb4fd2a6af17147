/** Runs the recipes of docs/deploy with the proxies of the distribution. Missing proxies are skipped with a warning; on CI they are an error. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { person, startNode, type TestNode, tell, until } from '../../kit/app.ts';
import { freePort } from '../../kit/ports.ts';
import { openStream } from '../../kit/stream.ts';

const PATH = `${process.env['PATH']}:/usr/sbin`;
/** Replaces the minute of the recipes; Parley's heartbeat is one second. */
const IDLE_SECONDS = 2;
const recipe = (file: string): string =>
  readFileSync(new URL(`../../../docs/deploy/${file}`, import.meta.url), 'utf8');
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
  /** Returns the complete configuration with the recipe in it. */
  complete: (folder: string, text: string) => string;
  args: (config: string) => string[];
  idle?: [from: string, to: string];
};
const PROXIES: Proxy[] = [
  {
    command: 'nginx',
    file: 'nginx.conf',
    complete: nginxMain,
    args: (config) => ['-c', config, '-e', `${config}.errors`],
    idle: ['60s', `${IDLE_SECONDS}s`],
  },
  {
    command: 'haproxy',
    file: 'haproxy.cfg',
    complete: (_, text) => text,
    args: (config) => ['-db', '-f', config],
    idle: ['60s', `${IDLE_SECONDS}s`],
  },
  {
    command: 'caddy',
    file: 'Caddyfile',
    complete: (_, text) => `{\n admin off\n auto_https off\n}\n${text}`,
    args: (config) => ['run', '--config', config, '--adapter', 'caddyfile'],
  },
  {
    command: 'apache2',
    file: 'apache.conf',
    complete: apacheMain,
    args: (config) => ['-DFOREGROUND', '-f', config],
    idle: ['ProxyTimeout 60', `ProxyTimeout ${IDLE_SECONDS}`],
  },
];

const isInstalled = ({ command }: Proxy): boolean =>
  spawnSync('which', [command], { env: { PATH } }).status === 0;

/** Starts the proxy with its recipe in front of `upstream`, and returns its URL. */
async function start(proxy: Proxy, upstream: string, text = recipe(proxy.file)): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-proxy-'));
  chmodSync(folder, 0o777); // the workers of nginx and Apache run as another user
  const port = await freePort();
  const config = join(folder, proxy.file);
  const [from, to] = proxy.idle ?? ['', ''];
  const own = text
    .replaceAll('127.0.0.1:3000', new URL(upstream).host)
    .replaceAll('8080', String(port))
    .replaceAll(from || '\0', to);
  writeFileSync(config, proxy.complete(folder, own));
  const env = { PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(proxy.command, proxy.args(config), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(kill);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const responds = () =>
    fetch(`${url}/livez`).then(
      ({ status }) => [200, 421].includes(status), // from Parley, not from a proxy that has no upstream yet
      () => false,
    );
  await until(`${proxy.command} responds`, responds, 10_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${output}`);
  });
  return url;
}

/** Registers from another loopback address, as another client would. */
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

async function expectPromptStream(node: TestNode, url: string): Promise<void> {
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
  const isPresent = isInstalled(proxy);
  if (!isPresent && process.env['CI']) throw new Error(`CI must test the recipes: install ${proxy.command}`);
  if (!isPresent)
    process.stderr.write(
      `\n*** SKIPPED: ${proxy.command} is not installed, so its recipe was not tested. ***\n\n`,
    );

  describe.skipIf(!isPresent)(proxy.command, () => {
    test.each(['', '/chat'])('streams are prompt and outlive its idle timeout, at "%s/"', async (path) => {
      const node = await startNode({ TRUST_PROXY: '1', HEARTBEAT_SECONDS: '1' });
      await expectPromptStream(node, `${await start(proxy, node.url)}${path}`);
    });

    test('limits count clients, not the proxy, and ignore forged X-Forwarded-For headers', async () => {
      const node = await startNode({ TRUST_PROXY: '1', REGISTER_LIMIT: '1/3600' });
      const url = await start(proxy, node.url);
      expect(await registerFrom('127.0.0.2', url)).toBe(201);
      expect(await registerFrom('127.0.0.2', url)).toBe(429);
      expect(await registerFrom('127.0.0.2', url, { 'X-Forwarded-For': '192.0.2.7' })).toBe(429);
      expect(await registerFrom('127.0.0.3', url)).toBe(201);
    });

    test('passes Host on, and redirects /chat to /chat/', async () => {
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
      expect((await statusFor('localhost', '/readyz'))[0]).toBe(200); // the health check of HAProxy
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
/** The configuration of a hosting panel or an ingress: only the upstream. It passes X-Forwarded-For on unchanged. */
const plain = 'server { listen 8080; location / { proxy_pass http://127.0.0.1:3000; } }';

describe.skipIf(!isInstalled(nginx))('nginx behind nginx', () => {
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
    await expectPromptStream(node, await start(nginx, await start(nginx, node.url, inner), outer));
  });

  test.each(INNER)(
    'clients are counted by address and cannot forge another one: %s inside',
    async (_, inner) => {
      const node = await startNode({ TRUST_PROXY: '127.0.0.1', REGISTER_LIMIT: '1/3600' });
      const url = await start(nginx, await start(nginx, node.url, inner));
      expect(await registerFrom('127.0.0.2', url)).toBe(201);
      expect(await registerFrom('127.0.0.2', url)).toBe(429);
      expect(await registerFrom('127.0.0.2', url, { 'X-Forwarded-For': '192.0.2.7' })).toBe(429);
      expect(await registerFrom('127.0.0.3', url)).toBe(201);
    },
  );

  test('without Host from the client, Parley gets the name of the upstream, and the error names it', async () => {
    const named = `upstream parley { server 127.0.0.1:3000; } ${plain.replace('//127.0.0.1:3000', '//parley')}`;
    const responseWith = async (HOSTS: string): Promise<Response> => {
      const node = await startNode({ TRUST_PROXY: '1', HOSTS });
      return fetch(`${await start(nginx, node.url, named)}/v1/me`);
    };
    const rejected = await responseWith('chat.example');
    expect(rejected.status).toBe(421);
    expect(await rejected.json()).toMatchObject({ detail: expect.stringContaining('host parley.') });
    expect((await responseWith('chat.example,parley')).status).toBe(401);
  });
});
