// The chat screen while the server is unreachable.
import { describe, expect, test } from 'vitest';
import { startNode } from '../../kit/app.ts';
import { exitsCleanly, hasTmux, openChat } from '../../kit/pane.ts';
import { freePort } from '../../kit/ports.ts';
import { redisProxy } from '../../kit/proxy.ts';
import { client } from '../../kit/wire.ts';

describe.skipIf(!hasTmux)('while the server is unreachable', () => {
  test('keeps the input line, queues messages, and sends them once and in order after reconnecting', async () => {
    const PORT = String(await freePort());
    const first = await startNode({ PORT });
    const { prefix, url } = first;
    const other = await startNode({}, { prefix });
    const alice = await client(other, 'alice');
    const pane = await openChat({ url }, 'bob');
    await pane.type('half a sent');
    await pane.shows('half a sent');
    await first.close();
    await pane.shows('Disconnected from the server.');
    await pane.shows('everybody (disconnected) › half a sent');
    await pane.type('ence');
    await pane.keys('Enter');
    await pane.type('and another');
    await pane.keys('Enter');
    await pane.shows('everybody (disconnected, 2 queued) ›');
    await pane.type('still typing');
    await pane.shows('still typing');
    await startNode({ PORT }, { prefix });
    await pane.shows('Reconnected.');
    await pane.shows('everybody › still typing');
    const screen = await pane.shows(/you {2}and another/);
    expect(screen).toMatch(/you {2}half a sentence\n(.*\n)*?\d\d:\d\d {2}you {2}and another/);
    const { data } = await alice.listBroadcasts();
    expect(data?.messages.map(({ text }) => text)).toEqual(['half a sentence', 'and another']);
  });

  test('retries a send whose response was lost, and it is stored once', async () => {
    const node = await startNode();
    const proxy = await redisProxy(node.url);
    const alice = await client(node, 'alice');
    const pane = await openChat({ url: proxy.url.replace('redis:', 'http:') }, 'bob');
    for (const text of ['one', 'two', 'three']) {
      await pane.type(text);
      await pane.keys('Enter');
      proxy.cut();
    }
    await pane.shows(/you {2}three/);
    const { data } = await alice.listBroadcasts();
    expect(data?.messages.map(({ text }) => text)).toEqual(['one', 'two', 'three']);
  });

  test('prints the unsent messages when the user quits before reconnecting', async () => {
    const node = await startNode();
    const pane = await openChat(node, 'bob');
    await node.close();
    await pane.shows('(disconnected)');
    await pane.type('never sent');
    await pane.keys('Enter');
    await pane.shows('1 queued');
    await pane.keys('C-c');
    const screen = await exitsCleanly(pane, 0);
    expect(screen).toMatch(/Not sent, because the server was unreachable:\n.*everybody › never sent/);
  });
});
