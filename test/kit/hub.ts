/** A hub alone, over a real Redis, with streams whose sockets the test controls. */
import { EventEmitter } from 'node:events';
import type { Writable } from 'node:stream';
import { onTestFinished } from 'vitest';
import { createPubSub } from '../../src/store/redis/pubsub.ts';
import { createWriteCheck } from '../../src/store/redis/write-check.ts';
import { Hub, type HubOptions } from '../../src/streams/hub.ts';
import type { PresenceMode } from '../../src/streams/stream.ts';
import { Subscribers } from '../../src/streams/subscribers.ts';
import { testLogs, testStore } from './store.ts';

/** A socket that accepts nothing until it is drained. */
export class StuckSocket extends EventEmitter {
  destroyed = false;
  writableNeedDrain = false;
  /** Written but not accepted yet. */
  queued: Buffer[] = [];
  taken = '';
  most = 0;

  get writableLength(): number {
    return this.queued.reduce((sum, { length }) => sum + length, 0);
  }
  write(bytes: Buffer): boolean {
    this.queued.push(bytes);
    this.most = Math.max(this.most, this.writableLength);
    this.writableNeedDrain = true;
    return false;
  }
  cork(): void {}
  uncork(): void {}
  end(bytes: Buffer): void {
    this.write(bytes);
  }
  drain(): void {
    this.taken += Buffer.concat(this.queued.splice(0)).toString();
    this.writableNeedDrain = false;
    this.emit('drain');
  }
  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

export async function testHub(limits: Partial<HubOptions['limits']> = {}) {
  const store = await testStore();
  const logs = testLogs(store, { broadcasts: 10_000 });
  const errors: string[] = [];
  const reportError = (work: string, error: unknown) =>
    void errors.push(`${work}: ${(error as Error).message}`);
  const probe = store.keys.channels.probe('n-test');
  const writeCheck = createWriteCheck(store, probe, () => {});
  const pubsub = createPubSub(store, { probe, writeCheck, reportError, log: { warn: () => {} } });
  const counts = { deliveries: 0, replays: 0, gaps: 0, slow: 0 };
  const subscribers = new Subscribers();
  const hub = new Hub({
    subscribers,
    store,
    pubsub,
    logs,
    nodePresence: { join: async () => {}, leave: () => {}, total: () => 0 },
    limits: {
      maxStreamBytes: 64 * 1024,
      maxStreamsPerAccount: 16,
      replayLimit: 1_000,
      presenceFanoutLimit: 5_000,
      ...limits,
    },
    heartbeatSeconds: 25,
    isRevoked: () => false,
    count: (what, count) => {
      counts[what] += count;
    },
    reportError,
    batchDelivered: () => {},
  });
  await pubsub.start(() => void hub.poll());
  onTestFinished(() => {
    hub.stop();
    pubsub.stop();
  });
  const open = async (username: string, presence: PresenceMode = 'off', lastEventId?: string) => {
    const socket = new StuckSocket();
    const answer = { isOver: () => socket.destroyed, begin: () => socket as unknown as Writable };
    await hub.open(answer, {
      username,
      sid: `session of ${username}`,
      expiresAtMs: Number.POSITIVE_INFINITY,
      lastEventId,
      presence,
      heartbeat: 'comment',
    });
    return socket;
  };
  return { store, logs, pubsub, subscribers, hub, counts, errors, open };
}
