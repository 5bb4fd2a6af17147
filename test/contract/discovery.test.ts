/** `GET /v1`: the links of the API. */
import { expect, test } from 'vitest';
import { loadContract } from '../../src/http/openapi.ts';
import { sharedNode } from '../kit/app.ts';
import { call } from '../kit/contract.ts';
import { expectProblem, send } from '../kit/http.ts';
import { underPath } from '../kit/sub-path.ts';

const theNode = sharedNode();
type Links = { links: Record<string, string> };

test('returns the links of the contract without a token', async () => {
  const { status, body } = await call(theNode(), 'getLinks');
  expect(status).toBe(200);
  const operation = loadContract().document.paths['/v1']!['get'] as object as {
    responses: Record<'200', { content: Record<string, { example: Links }> }>;
  };
  expect(body).toEqual(operation.responses[200].content['application/json']!.example);
});

test.each(['/', '/a/b/'])(
  'every link leads to a resource, behind a proxy that serves Parley at %s',
  async (path) => {
    const base = await underPath(theNode().url, path);
    const response = await fetch(`${base}v1`);
    const { links } = (await response.json()) as Links;
    const targets = Object.values(links).map(
      (link) => new URL(link.replace('{username}', 'bob'), response.url),
    );
    expect(targets[0]!.href).toBe(response.url);
    for (const target of targets) {
      expect(target.href.startsWith(base), target.href).toBe(true);
      expect([200, 401, 405], target.href).toContain((await fetch(target)).status);
    }
  },
);

test('answers HEAD, and no other method', async () => {
  const head = await send(theNode(), 'HEAD', '/v1');
  expect([head.status, head.text]).toEqual([200, '']);
  expectProblem(await send(theNode(), 'POST', '/v1', { body: {} }), 'method_not_allowed');
  expectProblem(await send(theNode(), 'GET', '/v1/'), 'not_found');
});
