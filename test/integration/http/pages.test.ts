/** Pages and files: the web page, the contract, the reference, and security, cache and CORS headers. */
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { loadContract } from '../../../src/http/openapi.ts';
import { login, person, sharedNode, startNode } from '../../kit/app.ts';
import { expectProblem, send } from '../../kit/http.ts';
import { recorder } from '../../kit/log.ts';
import { openStream } from '../../kit/stream.ts';

const theNode = sharedNode();
const ORIGIN = 'https://app.example';

test('serves the contract as YAML and as JSON', async () => {
  const node = theNode();
  const yaml = await send(node, 'GET', '/openapi.yaml');
  expect(yaml.headers['content-type']).toMatch(/^application\/yaml/);
  expect(yaml.text).toBe(loadContract().yaml);
  const json = await send(node, 'GET', '/openapi.json');
  expect(json.headers['content-type']).toMatch(/^application\/json/);
  expect(json.body).toEqual(parse(yaml.text));
});

test('the reference loads nothing from another host, and its policy forbids it', async () => {
  const node = theNode();
  const { status, headers, text } = await send(node, 'GET', '/docs');
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/html/);
  expect(text).not.toMatch(/(src|href)="(https?:)?\/\//);
  const policy = headers['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
});

test('serves every file of the reference that is part of the sources', async () => {
  const node = theNode();
  for (const [name, type] of [
    ['docs.css', 'text/css'],
    ['docs.js', 'text/javascript'],
    ['icon.svg', 'image/svg+xml'],
  ])
    expect((await send(node, 'GET', `/docs/${name}`)).headers['content-type']).toContain(type);
  expectProblem(await send(node, 'GET', '/docs/nothing.js'), 'not_found');
});

test('a range or condition that cannot be satisfied gets a problem and logs no error', async () => {
  const { log, lines } = recorder();
  const node = await startNode({}, { log });
  for (const path of ['/docs', '/docs/docs.css']) {
    for (const headers of [{ Range: 'bytes=99999999-' }, { 'If-Match': '"x"' }])
      expectProblem(await send(node, 'GET', path, { headers }), 'validation_failed');
    expect((await send(node, 'GET', path, { headers: { Range: 'bytes=0-3' } })).text).toHaveLength(4);
  }
  expect(lines().filter(({ level }) => !['debug', 'info'].includes(level))).toEqual([]);
});

test('the web page loads nothing from another host, and its policy forbids that and markup from text', async () => {
  const node = theNode();
  const { status, headers, text } = await send(node, 'GET', '/');
  expect(status).toBe(200);
  expect(headers['content-type']).toMatch(/^text\/html/);
  expect(text).not.toMatch(/(src|href)="(https?:)?\/\/|style=|<script>/);
  const policy = headers['content-security-policy'];
  expect(policy).toContain("default-src 'none'");
  expect(policy).toContain("require-trusted-types-for 'script'");
  expect(policy).not.toMatch(/unsafe|https?:|\*/);
});

test('files of the web page are revalidated and return 304 when unchanged', async () => {
  const node = theNode();
  for (const path of ['/', '/icon.svg']) {
    const { status, headers } = await send(node, 'GET', path);
    expect(status).toBe(200);
    expect(headers['cache-control']).toBe('no-cache');
    const again = await send(node, 'GET', path, { headers: { 'If-None-Match': headers['etag'] } });
    expect([again.status, again.text]).toEqual([304, '']);
  }
  expectProblem(await send(node, 'POST', '/'), 'method_not_allowed');
});

test('serves no other file from the folder of the web page', async () => {
  const node = theNode();
  for (const path of ['/main.ts', '/index.html', '/web/index.html', '//elsewhere.example/'])
    expectProblem(await send(node, 'GET', path), 'not_found');
});

test('every response has the security headers', async () => {
  const node = theNode();
  const { token } = await person(node, 'alice');
  for (const path of ['/v1/me', '/v1/nothing', '/livez', '/', '/docs', '/openapi.json']) {
    const { headers } = await send(node, 'GET', path, { token });
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'SAMEORIGIN',
      'referrer-policy': 'no-referrer',
      'content-security-policy': expect.stringContaining("default-src 'none'"),
    });
    expect(headers).not.toHaveProperty('x-powered-by');
    expect(headers).not.toHaveProperty('etag', expect.stringContaining('W/'));
  }
});

test('sends HSTS only if HSTS_SECONDS is set, and never for subdomains', async () => {
  const paths = ['/v1/me', '/v1/nothing', '/livez', '/', '/docs', '/openapi.json'];
  for (const path of paths)
    expect((await send(theNode(), 'GET', path)).headers).not.toHaveProperty('strict-transport-security');
  const node = await startNode({ HSTS_SECONDS: '3600' });
  for (const path of paths)
    expect((await send(node, 'GET', path)).headers['strict-transport-security']).toBe('max-age=3600');
});

test('pages have all headers of helmet', async () => {
  for (const path of ['/', '/docs', '/docs/docs.css'])
    expect((await send(theNode(), 'GET', path)).headers).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'origin-agent-cluster': '?1',
      'x-dns-prefetch-control': 'off',
      'x-permitted-cross-domain-policies': 'none',
      'x-xss-protection': '0',
    });
});

describe('caches', () => {
  const PREFLIGHT = { Origin: ORIGIN, 'Access-Control-Request-Method': 'GET' };

  // Regression: without Cache-Control, a caching proxy served the responses of one account to another.
  test('store no response of the API: successes, problems, health, preflights', async () => {
    const node = await startNode({ CORS_ORIGINS: ORIGIN });
    const { token } = await person(node, 'alice');
    for (const { operationId, method, path } of loadContract().routes.filter(
      (each) => each.operationId !== 'openStream',
    )) {
      for (const options of [{ token }, {}]) {
        const { status, headers } = await send(node, method, path.replace('{username}', 'alice'), options);
        expect(headers['cache-control'], `${operationId} ${status}`).toBe('no-store');
      }
    }
    for (const [method, path, headers] of [
      ...[
        ['GET', '/v1/nothing', {}],
        ['GET', '/nothing', {}],
        ['DELETE', '/v1/me', {}],
        ['HEAD', '/livez', {}],
      ],
      ...[
        ['GET', '/livez', { Host: 'evil.example' }],
        ['GET', '/v1/users/%zz', {}],
        ['GET', '/v1/#', {}],
      ],
      ...[
        ['OPTIONS', '/v1/me', PREFLIGHT],
        ['OPTIONS', '/v1/me', { ...PREFLIGHT, Origin: 'https://other.example' }],
      ],
      ...[
        ['GET', '/v1/me', { Origin: ORIGIN }],
        ['POST', '/', {}],
        ['GET', '/docs', { 'If-Match': '"x"' }],
      ],
    ] as [string, string, Record<string, string>][]) {
      const answer = await send(node, method, path, { headers });
      expect(answer.headers['cache-control'], `${method} ${path} ${answer.status}`).toBe('no-store');
      if (method === 'OPTIONS') {
        expect(answer.headers['vary']).toContain('Origin');
        expect(answer.headers).toHaveProperty('x-request-id');
      }
    }
    const stream = await openStream(node.url, (await login(node, 'alice')).token);
    expect(stream.headers['cache-control']).toBe('no-store, no-transform');
    stream.close();
  });

  test('revalidate pages and the contract', async () => {
    for (const path of ['/', '/icon.svg', '/openapi.yaml', '/openapi.json'])
      expect((await send(theNode(), 'GET', path)).headers['cache-control']).toBe('no-cache');
    expect((await send(theNode(), 'GET', '/docs/docs.css')).headers['cache-control']).toBe(
      'public, max-age=0',
    );
  });
});

describe('pages of other origins', () => {
  const preflight = {
    Origin: ORIGIN,
    'Access-Control-Request-Method': 'POST',
    'Access-Control-Request-Headers': 'authorization,content-type,idempotency-key',
  };

  test('may not call by default', async () => {
    const node = theNode();
    const { token } = await person(node, 'alice');
    const answers = [
      await send(node, 'GET', '/v1/me', { token, headers: { Origin: ORIGIN } }),
      await send(node, 'OPTIONS', '/v1/login', { headers: preflight }),
    ];
    for (const { headers } of answers)
      expect(Object.keys(headers).filter((name) => name.startsWith('access-control'))).toEqual([]);
    expectProblem(answers[1]!, 'method_not_allowed');
  });

  test('may call if CORS_ORIGINS lists them, and may read the headers that matter', async () => {
    const node = await startNode({ CORS_ORIGINS: `https://other.example, ${ORIGIN}` });
    const { token } = await person(node, 'alice');
    const allowed = await send(node, 'OPTIONS', '/v1/broadcasts', { headers: preflight });
    expect(allowed.status).toBe(204);
    expect(allowed.headers).toMatchObject({
      'access-control-allow-origin': ORIGIN,
      'access-control-allow-headers': 'authorization,content-type,idempotency-key',
      'access-control-allow-methods': expect.stringContaining('PATCH'),
      'access-control-max-age': '600',
    });
    for (const path of ['/v1/me', '/v1/nothing']) {
      const { headers } = await send(node, 'GET', path, { token, headers: { Origin: ORIGIN } });
      expect(headers['access-control-allow-origin']).toBe(ORIGIN);
      expect(headers['vary']).toContain('Origin');
      expect(headers).not.toHaveProperty('access-control-allow-credentials');
      const exposed = headers['access-control-expose-headers']?.split(',').sort();
      expect(exposed).toEqual(['Idempotent-Replayed', 'Location', 'Retry-After', 'X-Request-Id']);
    }
  });

  test.each([
    'https://evil.example',
    `${ORIGIN}.evil.example`,
    'http://app.example',
    `${ORIGIN}:8443`,
    'null',
  ])('may not call if CORS_ORIGINS does not list them: %s', async (origin) => {
    const node = await startNode({ CORS_ORIGINS: ORIGIN });
    for (const [method, path] of [
      ['OPTIONS', '/v1/broadcasts'],
      ['GET', '/livez'],
    ] as const) {
      const { headers } = await send(node, method, path, { headers: { ...preflight, Origin: origin } });
      expect(headers).not.toHaveProperty('access-control-allow-origin');
    }
  });

  test.each(['null', 'tauri://localhost', 'capacitor://localhost', 'chrome-extension://abcdefghijklmnop'])(
    'may be applications, extensions and pages without an origin: %s',
    async (origin) => {
      const node = await startNode({ CORS_ORIGINS: `${origin}/`.replace('null/', 'null') });
      for (const [Origin, allowed] of [
        [origin, origin],
        ['https://other.example', undefined],
        [`${origin}.example`, undefined],
      ] as const) {
        const { headers } = await send(node, 'GET', '/livez', { headers: { Origin } });
        expect(headers['access-control-allow-origin']).toBe(allowed);
      }
    },
  );

  test('may all call if CORS_ORIGINS is *', async () => {
    const node = await startNode({ CORS_ORIGINS: '*' });
    const { headers } = await send(node, 'GET', '/livez', { headers: { Origin: 'https://any.example' } });
    expect(headers['access-control-allow-origin']).toBe('*');
  });
});
