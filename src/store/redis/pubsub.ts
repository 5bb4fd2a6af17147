/**
 * The subscriber: receives what other nodes publish. A notification is a hint and the log is the source of truth, so a
 * lost message is read from there; the main duty of this file is to detect silence. A subscriber can look healthy and
 * receive nothing (a half-open connection, a replaced server). It therefore publishes a probe to itself every two
 * seconds, and drops the connection when none has arrived for six.
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
  // Also runs on the first connect, when the probe is the only subscription.
  subscriber.on('ready', () => void restore());
  listeners.set(probe, () => {});

  /** Subscribe to every channel again; then the owners must read what they missed. */
  async function restore(): Promise<void> {
    heardAt = performance.now();
    try {
      const channels = [...listeners.keys()];
      for (let i = 0; i < channels.length; i += 1_000)
        await subscriber.subscribe(...channels.slice(i, i + 1_000));
      onRestored();
    } catch {
      subscriber.disconnect(true); // the connection dropped again: the next one restores
    }
  }

  const timer = setInterval(() => {
    if (performance.now() - heardAt > SILENT_AFTER_MS && subscriber.status === 'ready') {
      log.warn('redis (subscriber): connected but silent; connecting again');
      heardAt = performance.now();
      subscriber.disconnect(true);
    }
    // While Redis does not accept the probe, silence is not the subscriber's fault.
    commands.publish(probe, '').catch(() => {
      heardAt = performance.now();
    });
  }, PROBE_EVERY_MS);

  return {
    start: (restored: () => void): Promise<void> => {
      onRestored = restored;
      return restore();
    },

    /**
     * Resolves when Redis has accepted the subscription, or has failed to: then `restore` retries later and calls
     * onRestored.
     */
    async subscribe(channel: string, listener: (payload: string) => void): Promise<void> {
      listeners.set(channel, listener);
      await subscriber.subscribe(channel).catch(() => {});
    },

    unsubscribe(channel: string): void {
      listeners.delete(channel);
      subscriber.unsubscribe(channel).catch(() => {});
    },

    isReceiving: (): boolean => performance.now() - heardAt < SILENT_AFTER_MS,
    stop: (): void => clearInterval(timer),
  };
}
