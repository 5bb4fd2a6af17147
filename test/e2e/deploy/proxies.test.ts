/** Runs the recipes of docs/deploy with the proxies of the distribution. Missing proxies are skipped with a warning; on CI they are an error. */
import http from 'node:http';
import { describe, expect, onTestFinished, test } from 'vitest';
import { person, startNode, type TestNode, tell } from '../../kit/app.ts';
import {
  HAPROXY,
  isProxyInstalled,
  NGINX,
  nginxFolders,
  type ProxyCommand,
  recipe,
  startReverseProxy,
} from '../../kit/reverse-proxy.ts';
import { openStream } from '../../kit/stream.ts';

/** Replaces the minute of the recipes; Parley's heartbeat is one second. */
const IDLE_SECONDS = 2;
const nginxMain = (folder: string, servers: string): string =>
  `worker_processes 1; pid ${folder}/pid; daemon off; error_log ${folder}/log; events {} http { access_log off; ` +
  `${nginxFolders(folder)}\n${servers}\n}`;
const APACHE_MODULES = ['mpm_event', 'authz_core', 'proxy', 'proxy_http', 'headers', 'alias'];
const apacheMain = (folder: string, host: string): string =>
  `ServerRoot ${folder}\nDefaultRuntimeDir ${folder}\nPidFile ${folder}/pid\nErrorLog ${folder}/log\nUser www-data\nGroup www-data\n` +
  APACHE_MODULES.map((name) => `LoadModule ${name}_module /usr/lib/apache2/modules/mod_${name}.so\n`).join(
    '',
  ) +
  host;

type Proxy = ProxyCommand & {
  file: string;
  /** Returns the complete configuration with the recipe in it. */
  complete: (folder: string, text: string) => string;
  idle?: [from: string, to: string];
};
const PROXIES: Proxy[] = [
  {
    ...NGINX,
    file: 'nginx.conf',
    complete: nginxMain,
    idle: ['60s', `${IDLE_SECONDS}s`],
  },
  {
    ...HAPROXY,
    file: 'haproxy.cfg',
    complete: (_, text) => text,
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

/** Starts the proxy with its recipe in front of `upstream`, and returns its URL. */
function start(proxy: Proxy, upstream: string, text = recipe(proxy.file)): Promise<string> {
  const [from, to] = proxy.idle ?? ['\0', ''];
  return startReverseProxy(proxy, (folder, port) => {
    const own = text
      .replaceAll('127.0.0.1:3000', new URL(upstream).host)
      .replaceAll('8080', String(port))
      .replaceAll(from, to);
    return proxy.complete(folder, own);
  });
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
  describe.skipIf(!isProxyInstalled(proxy.command))(proxy.command, () => {
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

describe.skipIf(!isProxyInstalled(nginx.command))('nginx behind nginx', () => {
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
