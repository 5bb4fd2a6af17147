/** The browser's own EventSource, which cannot send a header: a ticket opens the stream, and resumes it. */
import { expect, test } from 'vitest';
import { person, say, startNode, tell } from '../../kit/app.ts';
import { openWindow, sharedBrowser } from '../../kit/browser.ts';
import { call } from '../../kit/contract.ts';
import { redisProxy } from '../../kit/proxy.ts';

const theBrowser = sharedBrowser();

test('EventSource receives and resumes with tickets, under the policy of the page', async () => {
  const node = await startNode();
  const [alice, bob] = [await person(node, 'alice'), await person(node, 'bob')];
  const page = await openWindow(theBrowser(), node);
  const ticket = async (): Promise<string> =>
    (await call(node, 'createTicket', { token: alice.token })).body.ticket;
  const heard = () => page.evaluate('globalThis.heard') as Promise<{ text: string; id: string }[]>;
  const listen = (query: URLSearchParams) =>
    page.evaluate(`new Promise((resolve) => {
      globalThis.heard ??= [];
      globalThis.stream?.close();
      globalThis.stream = new EventSource('/v1/events?${query}');
      for (const kind of ['dm', 'broadcast'])
        stream.addEventListener(kind, ({ data, lastEventId }) => heard.push({ text: JSON.parse(data).text, id: lastEventId }));
      stream.addEventListener('ready', () => resolve());
    })`);
  const texts = async () => (await heard()).map(({ text }) => text);

  await listen(new URLSearchParams({ ticket: await ticket() }));
  await tell(bob, 'alice', 'one');
  await expect.poll(texts).toEqual(['one']);
  await page.evaluate('stream.close()');
  await say(bob, 'two, to everybody');
  await tell(bob, 'alice', 'three');
  const after = (await heard())[0]!.id;
  await listen(new URLSearchParams({ ticket: await ticket(), after }));
  await expect.poll(async () => (await texts()).length).toBe(3);
  expect((await texts()).sort()).toEqual(['one', 'three', 'two, to everybody']);
});

test('EventSource comes back by itself when it met a server whose Redis was away', async () => {
  const proxy = await redisProxy();
  const node = await startNode({}, { redisUrl: proxy.url });
  const alice = await person(node, 'alice');
  const page = await openWindow(theBrowser(), node);
  const { ticket } = (await call(node, 'createTicket', { token: alice.token })).body;
  proxy.refuse(true);
  await page.evaluate(`(() => {
    globalThis.seen = [];
    const stream = new EventSource('/v1/events?ticket=${ticket}');
    stream.onerror = () => seen.push(stream.readyState);
    for (const kind of ['ready', 'goodbye']) stream.addEventListener(kind, () => seen.push(kind));
  })()`);
  const seen = () => page.evaluate('globalThis.seen') as Promise<(string | number)[]>;
  await expect.poll(seen, { timeout: 10_000 }).toEqual(['goodbye', 0]); // CONNECTING, not CLOSED
  proxy.refuse(false);
  await expect.poll(seen, { timeout: 15_000 }).toContain('ready');
  expect(await seen()).not.toContain(2);
});
