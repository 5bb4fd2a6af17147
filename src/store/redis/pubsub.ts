/**
 * The listening side: what other nodes publish. A wake-up is a hint, the log is the truth: whatever is lost here is
 * read there. So the one duty of this file is to notice silence. A subscriber can look healthy and hear nothing
 * (a half-open connection, a server that was replaced), hence the probe: a message to ourselves every two seconds;
 * when none has come for six, the connection is thrown away.
 */
import type { Store } from './client.ts';

const PROBE_EVERY_MS = 2_000;
const SILENT_AFTER_MS = 6_000;

export type PubSub = ReturnType<typeof createPubSub>;

export function createPubSub(store: Store, nodeId: string, log: { warn(message: string): void }) {
  const { subscriber, commands, keys } = store;
  const probe = keys.channels.probe(nodeId);
  const listeners = new Map<string, (payload: string) => void>();
  let onRestored: () => void = () => {};
  let heardAt = performance.now();

  subscriber.on('message', (channel: string, payload: string) => {
    heardAt = performance.now();
    listeners.get(channel)?.(payload);
  });
  // Also the first time: then there is nothing yet to subscribe to but the probe.
  subscriber.on('ready', () => void restore());
  listeners.set(probe, () => {});

  /** Everything that was listened to, again; then whoever listens must read what was missed meanwhile. */
  async function restore(): Promise<void> {
    heardAt = performance.now();
    try {
      const channels = [...listeners.keys()];
      for (let i = 0; i < channels.length; i += 1_000)
        await subscriber.subscribe(...channels.slice(i, i + 1_000));
      onRestored();
    } catch {
      subscriber.disconnect(true); // the connection died meanwhile: the next one restores
    }
  }

  const timer = setInterval(() => {
    if (performance.now() - heardAt > SILENT_AFTER_MS && subscriber.status === 'ready') {
      log.warn('redis (subscriber): connected but silent; connecting again');
      heardAt = performance.now();
      subscriber.disconnect(true);
    }
    // While Redis does not take the probe, silence says nothing about the subscriber.
    commands.publish(probe, '').catch(() => {
      heardAt = performance.now();
    });
  }, PROBE_EVERY_MS);

  return {
    start: (restored: () => void): Promise<void> => {
      onRestored = restored;
      return restore();
    },

    /** Resolves when Redis has taken the subscription, or could not: then `restore` does it later, and calls onRestored. */
    async listen(channel: string, listener: (payload: string) => void): Promise<void> {
      listeners.set(channel, listener);
      await subscriber.subscribe(channel).catch(() => {});
    },

    forget(channel: string): void {
      listeners.delete(channel);
      subscriber.unsubscribe(channel).catch(() => {});
    },

    isHearing: (): boolean => performance.now() - heardAt < SILENT_AFTER_MS,
    stop: (): void => clearInterval(timer),
  };
}
