/** Behind a proxy that serves Parley under a path prefix without announcing it. */
import { expect, onTestFinished, test } from 'vitest';
import { createParley } from '../../../clients/sdk/src/index.ts';
import { listen, person, say, startNode, tell } from '../../kit/app.ts';
import { underPath } from '../../kit/sub-path.ts';

const PASSWORD = 'correct horse battery';

test.each(['', 'docs', 'docs/'])('all resources that the page at /%s links to exist', async (page) => {
  const base = await underPath((await startNode()).url, '/chat/');
  const response = await fetch(`${base}${page}`);
  expect(response.status).toBe(200);
  const links = [...(await response.text()).matchAll(/(?:src|href)="([^"#]+)"/g)].map(
    ([, to]) => new URL(to!, response.url),
  );
  expect(links.length).toBeGreaterThan(2);
  for (const to of links.filter(
    ({ pathname }) => !pathname.endsWith('/app.js') && !pathname.endsWith('/style.css'),
  )) {
    expect(to.href.startsWith(base), to.href).toBe(true);
    // Files that only the build creates, such as swagger-ui, are tested in test/e2e/web.
    if (!to.pathname.includes('swagger-ui')) expect((await fetch(to)).status, to.href).toBe(200);
  }
});

test('Location leads to the profile, and a gap to the operation that has the missing messages', async () => {
  const node = await startNode({ REPLAY_LIMIT: '2', INBOX_LIMIT: '3' });
  const base = await underPath(node.url, '/a/b/');
  const registration = await fetch(`${base}v1/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username: 'alice', password: PASSWORD }),
  });
  const alice = await person(node, 'alice');
  const headers = { Authorization: `Bearer ${alice.token}` };
  const get = (to: URL) => fetch(to, { headers });
  const profile = await get(new URL(registration.headers.get('location')!, registration.url));
  expect(await profile.json()).toMatchObject({ username: 'alice' });

  const bob = await person(node, 'bob');
  const stream = await listen(alice);
  for (const text of ['1', '2', '3', '4', '5']) {
    await say(bob, text);
    await tell(bob, 'alice', text);
  }
  const again = await listen(alice, { lastEventId: stream.events[0]!.id! });
  const histories = again.events.filter(({ kind }) => kind === 'gap').map(({ data }) => data.history);
  expect(new Set(histories)).toEqual(new Set(['mailbox', 'broadcasts']));
  for (const history of histories) expect((await get(new URL(history, `${base}v1/events`))).status).toBe(200);
  const mailbox = await get(new URL(`${base}v1/mailbox`));
  const { gap } = (await mailbox.json()) as { gap: { history: string } };
  expect((await get(new URL(gap.history, mailbox.url))).status).toBe(200);
});

test.each(['', '/'])('the client works with a base URL that has a path and ends with "%s"', async (end) => {
  const node = await startNode();
  const base = await underPath(node.url, '/chat/');
  const baseUrl = base.replace(/\/$/, end);
  const parley = createParley({ baseUrl });
  await parley.register({ username: 'alice', password: PASSWORD });
  await parley.login({ username: 'alice', password: PASSWORD });
  const stop = new AbortController();
  onTestFinished(() => stop.abort());
  const events = parley.events({ signal: stop.signal });
  expect((await events.next()).value).toMatchObject({ kind: 'ready', username: 'alice' });
});
