/**
 * The subscriber: receives what other nodes publish. A notification is a hint and the log is the source of truth, so a
 * lost message is read from there; the main duty of this file is to detect silence.
 */
import type { ReportError } from '../unexpected-errors.ts';
import type { Store } from './client.ts';
import type { WriteCheck } from './write-check.ts';

const PROBE_EVERY_MS = 2_000;
const SILENT_AFTER_MS = 6_000;
const CHANNELS_PER_CALL = 1_000;

type Log = { warn(message: string): void };

export type PubSub = ReturnType<typeof createPubSub>;

export function createPubSub(
  store: Store,
  options: {
    /** The channel on which `writeCheck` publishes. */
    probe: string;
    writeCheck: WriteCheck;
    reportError: ReportError;
    log: Log;
  },
) {
  const { probe } = options;
  const { subscriber } = store;
  const listeners = new Map<string, (payload: string) => void>([[probe, () => {}]]);
  const watchdog = new Watchdog(subscriber, options);
  let onRestored: () => void = () => {};

  subscriber.on('smessage', (channel: string, payload: string) => {
    watchdog.receivedAt = performance.now();
    listeners.get(channel)?.(payload);
  });
  // Also runs on the first connect, when the probe is the only subscription.
  subscriber.on('ready', () => void restore());

  /** Subscribe to every channel again; then the owners must read what they missed. */
  async function restore(): Promise<void> {
    watchdog.receivedAt = performance.now();
    try {
      const channels = [...listeners.keys()];
      for (let i = 0; i < channels.length; i += CHANNELS_PER_CALL)
        await subscriber.ssubscribe(...channels.slice(i, i + CHANNELS_PER_CALL));
      onRestored();
    } catch {
      subscriber.disconnect(true); // the connection dropped again: the next one restores
    }
  }

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
      await subscriber.ssubscribe(channel).catch(() => {});
    },

    unsubscribe(channel: string): void {
      listeners.delete(channel);
      subscriber.sunsubscribe(channel).catch(() => {});
    },

    isReceiving: (): boolean => watchdog.isReceiving(),
    stop: (): void => watchdog.stop(),
  };
}

/**
 * A subscriber can look healthy and receive nothing (a half-open connection, a replaced server). The watchdog therefore
 * publishes a probe to it every two seconds, and drops the connection when nothing has arrived for six.
 */
class Watchdog {
  receivedAt = performance.now();
  readonly #subscriber: Store['subscriber'];
  readonly #options: { writeCheck: WriteCheck; reportError: ReportError; log: Log };
  readonly #timer = setInterval(() => this.#check(), PROBE_EVERY_MS);

  constructor(
    subscriber: Store['subscriber'],
    options: { writeCheck: WriteCheck; reportError: ReportError; log: Log },
  ) {
    this.#subscriber = subscriber;
    this.#options = options;
  }

  isReceiving(): boolean {
    return performance.now() - this.receivedAt < SILENT_AFTER_MS;
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #check(): void {
    const subscriber = this.#subscriber;
    const { writeCheck, reportError, log } = this.#options;
    if (performance.now() - this.receivedAt > SILENT_AFTER_MS && subscriber.status === 'ready') {
      log.warn('redis (subscriber): connected but silent; reconnecting');
      this.receivedAt = performance.now();
      subscriber.disconnect(true);
    }
    // While Redis does not accept the probe, silence is not the subscriber's fault.
    writeCheck.check().catch((error: unknown) => {
      this.receivedAt = performance.now();
      reportError('the check of Redis', error);
    });
  }
}
