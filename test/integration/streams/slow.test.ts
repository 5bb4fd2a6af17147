/** Back-pressure: a slow client costs bounded memory and loses no message. */
import { expect, onTestFinished, test, vi } from 'vitest';
import { directChannel } from '../../../src/store/channels.ts';
import { listen, person, startNode, until } from '../../kit/app.ts';
import { testHub } from '../../kit/hub.ts';
import { account, draft, testLogs, testStore } from '../../kit/store.ts';

const BIG = '界'.repeat(3_990); // 12 kB

function numbersIn(text: string): number[] {
  return [...text.matchAll(/"text":"(\d+) /g)].map(([, number]) => Number(number));
}

test('the queue of a socket that reads nothing stays within the limit, and the stream misses nothing', async () => {
  const maxStreamBytes = 100_000;
  const { logs, open, counts } = await testHub({ maxStreamBytes });
  const [stuck, healthy] = [await open('stuck'), await open('healthy')];
  const draining = setInterval(() => healthy.drain(), 1);
  stuck.drain();
  for (let n = 1; n <= 300; n += 1) await logs.broadcast(draft('alice', `${n} ${BIG}`));
  await until('the healthy one has all', () => numbersIn(healthy.taken).length === 300);
  clearInterval(draining);
  expect(stuck.most).toBeLessThanOrEqual(maxStreamBytes);
  expect(counts.slow).toBeGreaterThanOrEqual(1);
  await until('the stuck one has all', () => {
    stuck.drain();
    return numbersIn(stuck.taken).length >= 300;
  });
  expect(numbersIn(stuck.taken)).toEqual(Array.from({ length: 300 }, (_, n) => n + 1));
  expect(stuck.most).toBeLessThanOrEqual(maxStreamBytes);
  // And it is live again.
  await logs.broadcast(draft('alice', '301 end'));
  await until('the end', () => {
    stuck.drain();
    return numbersIn(stuck.taken).at(-1) === 301;
  });
});

test('a client that pauses and resumes gets everything in order, while others are served', async () => {
  const node = await startNode({ MAX_STREAM_BYTES: '65536', REPLAY_LIMIT: '10' });
  const [slow, quick] = [await person(node, 'slow'), await person(node, 'quick')];
  const [slowStream, quickStream] = [await listen(slow), await listen(quick)];
  slowStream.pause();
  const logs = testLogs(await testStore(node.prefix), { broadcasts: 10_000 });
  const count = 1_200; // 14 MB: more than the kernel keeps for a socket
  for (let n = 1; n <= count; n += 1) await logs.broadcast(draft('alice', `${n} ${BIG}`));
  await until('the quick one has all', () => quickStream.messages().length === count, 15_000);
  expect(slowStream.messages().length).toBeLessThan(count);
  slowStream.resume();
  await until('the slow one has all', () => slowStream.messages().length === count, 15_000);
  expect(slowStream.messages().map(({ seq }) => seq)).toEqual(Array.from({ length: count }, (_, n) => n + 1));
  expect(slowStream.events.map(({ kind }) => kind)).not.toContain('gap');
});

// Everything in one batch was one write, and an empty buffer accepted a write of any size: megabytes per slow client.
test('a burst costs a client that reads nothing at most the limit and one message, and others miss nothing', async () => {
  const maxStreamBytes = 64 * 1024;
  const { logs, open } = await testHub({ maxStreamBytes });
  const [stuck, healthy] = [await open('stuck'), await open('healthy')];
  const largest = new Map([stuck, healthy].map((socket) => [socket, 0]));
  for (const socket of [stuck, healthy]) {
    const write = socket.write.bind(socket);
    socket.write = (bytes) => {
      largest.set(socket, Math.max(largest.get(socket)!, bytes.length));
      return write(bytes);
    };
  }
  stuck.drain();
  const draining = setInterval(() => healthy.drain(), 1);
  await Promise.all(Array.from({ length: 300 }, (_, n) => logs.broadcast(draft('alice', `${n + 1} ${BIG}`))));
  await until('the healthy one has all', () => numbersIn(healthy.taken).length === 300);
  clearInterval(draining);
  expect(stuck.most).toBeLessThanOrEqual(maxStreamBytes + 13_000);
  for (const bytes of largest.values()) expect(bytes).toBeLessThanOrEqual(maxStreamBytes);
  await until('the stuck one has all', () => {
    stuck.drain();
    return numbersIn(stuck.taken).length >= 300;
  });
  for (const socket of [stuck, healthy])
    expect(numbersIn(socket.taken).toSorted((a, b) => a - b)).toEqual(
      Array.from({ length: 300 }, (_, n) => n + 1),
    );
});

// Each may buffer its megabyte, but not all of them together.
test('thousands of stalled streams buffer at most 32 MiB together, and no stream misses a message', async () => {
  const most = 32 * 1024 * 1024;
  const { logs, open, counts } = await testHub({ maxStreamBytes: 1024 * 1024 });
  const stuck = await Promise.all(Array.from({ length: 48 }, (_, n) => open(`stuck-${n}`)));
  const healthy = await open('healthy');
  for (const socket of stuck) socket.drain();
  const draining = setInterval(() => healthy.drain(), 1);
  onTestFinished(() => clearInterval(draining));
  const count = 120; // 1.4 MB for each
  let bufferedBytes = 0;
  for (let n = 1; n <= count; n += 1) {
    await logs.broadcast(draft('alice', `${n} ${BIG}`));
    bufferedBytes = Math.max(
      bufferedBytes,
      stuck.reduce((sum, { writableLength }) => sum + writableLength, 0),
    );
  }
  const end = `"text":"${count} `;
  await until('the healthy one has all', () => healthy.taken.includes(end));
  expect(bufferedBytes).toBeLessThanOrEqual(most);
  expect(bufferedBytes, 'the shared limit stopped them').toBeGreaterThan(most * 0.9);
  expect(counts.slow).toBeGreaterThanOrEqual(stuck.length);
  await until(
    'all have received everything',
    () => {
      for (const socket of stuck) socket.drain();
      return stuck.every(({ taken }) => taken.includes(end));
    },
    20_000,
  );
  const all = Array.from({ length: count }, (_, n) => n + 1);
  for (const { taken } of [healthy, ...stuck]) expect(numbersIn(taken)).toEqual(all);
});

test('a large message for stalled sockets is one shared buffer, however many streams hold it', async () => {
  const { logs, open } = await testHub();
  const sockets = await Promise.all(Array.from({ length: 3 }, (_, n) => open(`stuck-${n}`)));
  for (const socket of sockets) socket.drain();
  for (const count of [1, 2]) {
    await logs.broadcast(draft('alice', BIG));
    await until('all have buffered it', () =>
      sockets.every(({ writableLength }) => writableLength > count * Buffer.byteLength(BIG)),
    );
  }
  const buffers = sockets.map(({ queued }) => queued.findLast(({ length }) => length > BIG.length));
  expect(new Set(buffers).size).toBe(1);
  for (const socket of sockets) socket.drain();
  for (const { taken } of sockets) expect(taken).toMatch(/"seq":2\}\nid: \S+~\S+\n\n$/);
});

test('a burst for one account is split as well', async () => {
  const maxStreamBytes = 64 * 1024;
  const { store, logs, open } = await testHub({ maxStreamBytes });
  await account(store, 'bob');
  const socket = await open('bob');
  socket.drain();
  await Promise.all(
    Array.from({ length: 100 }, (_, n) =>
      logs.direct(directChannel('alice', 'bob'), draft('alice', `${n + 1} ${BIG}`)),
    ),
  );
  await until('all', () => {
    socket.drain();
    return numbersIn(socket.taken).length >= 100;
  });
  expect(socket.most).toBeLessThanOrEqual(maxStreamBytes + 13_000);
  expect(numbersIn(socket.taken).toSorted((a, b) => a - b)).toEqual(
    Array.from({ length: 100 }, (_, n) => n + 1),
  );
});

test('a broadcast and a direct message that are too large together are two writes', async () => {
  const maxStreamBytes = 10_000;
  const { store, logs, open } = await testHub({ maxStreamBytes });
  await account(store, 'bob');
  const socket = await open('bob');
  socket.drain();
  for (let n = 1; n <= 9; n += 2) {
    await Promise.all([
      logs.broadcast(draft('alice', `${n} ${BIG}`)),
      logs.direct(directChannel('alice', 'bob'), draft('alice', `${n + 1} ${BIG}`)),
    ]);
    await until('both', () => {
      socket.drain();
      return numbersIn(socket.taken).length >= n + 1;
    });
  }
  expect(socket.most).toBeLessThanOrEqual(maxStreamBytes + 13_000);
});

// Above its own limit, but below what Node considers full: the stream fell behind and became live again in one step,
// and was informed of the skipped event only afterwards.
test('a stream that falls behind and catches up in one step gets what it skipped', async () => {
  const { subscribers, hub, open } = await testHub({ maxStreamBytes: 10 });
  const socket = await open('alice', 'all');
  socket.drain();
  await vi.waitFor(() => expect([...subscribers.streams()].map(({ state }) => state)).toEqual(['live']));
  socket.queued.push(Buffer.from('not taken yet'));
  hub.sendPresence({ total: 2, online: ['bob'], offline: [] });
  await vi.waitFor(() => {
    expect(socket.queued.join('')).toContain('"resync":true');
  });
});
