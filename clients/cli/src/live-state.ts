/**
 * The event stream of a login and the state built from it: presence, connection and unseen messages. Messages stay
 * unseen until a screen shows them. A direct message is acknowledged only when it has been shown, so that unseen ones
 * are delivered again after the next login.
 */
import type {
  DirectMessage,
  EndOfStream,
  Gap,
  Message,
  Parley,
  Problem,
  StreamEvent,
} from '@parley-chat/client';
import { createPresence } from './presence.ts';
import { isRetryable } from './problems.ts';

export type LiveUpdate =
  | { kind: 'message'; message: Message }
  | { kind: 'presence'; online: string[]; offline: string[] }
  | { kind: 'gap'; reason: Gap['reason'] }
  | { kind: 'connection'; isDisconnected: boolean }
  | { kind: 'ended'; reason: EndOfStream; problem?: Problem };

export type LiveState = ReturnType<typeof openLiveState>;

/** Limit for the names fetched after (re)connecting; the rest only counts. */
const MAX_NAMES = 1_000;
/** Older unseen broadcasts are dropped; the history still has them. */
const MAX_UNSEEN_BROADCASTS = 200;
const BATCH_DELAY_MS = 300;
const RETRY_MS = 3_000;

export function openLiveState(parley: Parley, me: string) {
  const presence = createPresence();
  const stop = new AbortController();
  const listeners = new Set<(update: LiveUpdate) => void>();
  let unseen: Message[] = [];
  let isDisconnected = false;
  let end: Extract<LiveUpdate, { kind: 'ended' }> | undefined;
  let pendingAck: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const notify = (update: LiveUpdate): void => {
    for (const listener of listeners) listener(update);
  };

  const isMail = (message: Message): message is DirectMessage => message.kind === 'dm' && message.to === me;

  function receive(message: Message): void {
    unseen.push(message);
    const broadcasts = unseen.filter(({ kind }) => kind === 'broadcast');
    if (broadcasts.length > MAX_UNSEEN_BROADCASTS) unseen = unseen.filter((each) => each !== broadcasts[0]);
    notify({ kind: 'message', message });
  }

  /** Another session of this account has acknowledged messages: they count as seen here too. */
  function dropAcknowledged(upTo: string, unread: number): void {
    const lastIndex = unseen.findIndex(({ id }) => id === upTo);
    unseen = unseen.filter((message, index) => !isMail(message) || (unread > 0 && index > lastIndex));
  }

  async function loadPresence(): Promise<void> {
    await presence.load(async () => (await parley.listOnline({ limit: MAX_NAMES })).data);
    notify({ kind: 'presence', online: [], offline: [] });
  }

  function handle(event: StreamEvent): void {
    switch (event.kind) {
      case 'ready':
        presence.setTotal(event.online);
        if (event.presence === 'all') void loadPresence();
        break;
      case 'dm':
      case 'broadcast':
        receive(event);
        break;
      case 'presence':
        presence.apply(event);
        if (event.resync) void loadPresence();
        notify({ kind: 'presence', online: event.online ?? [], offline: event.offline ?? [] });
        break;
      case 'mailbox':
        dropAcknowledged(event.upTo, event.unread);
        notify({ kind: 'presence', online: [], offline: [] });
        break;
      case 'gap':
        notify({ kind: 'gap', reason: event.reason });
        break;
      case 'goodbye':
        break;
    }
  }

  const stream = parley.events({
    signal: stop.signal,
    acknowledge: false,
    onState: (state) => {
      if (state.kind === 'ended') {
        end = { ...state, kind: 'ended' };
        notify(end);
      }
      // Reconnecting with a new token is routine, not a disconnection.
      const hasChanged =
        state.kind === 'waiting' ? !isDisconnected && state.because !== 'expired' : isDisconnected;
      if (!hasChanged || (state.kind !== 'open' && state.kind !== 'waiting')) return;
      isDisconnected = state.kind === 'waiting';
      notify({ kind: 'connection', isDisconnected });
    },
  });
  const running = (async () => {
    for await (const event of stream) handle(event);
  })();

  async function acknowledge(signal?: AbortSignal): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = pendingAck;
    pendingAck = undefined;
    if (upTo === undefined || end) return;
    const { problem } = await parley.ackMailbox(upTo, signal ? { signal } : {});
    if (!problem || !isRetryable(problem) || pendingAck !== undefined) return;
    pendingAck = upTo;
    timer = setTimeout(() => void acknowledge(), RETRY_MS);
  }

  return {
    presence,
    isDisconnected: (): boolean => isDisconnected,
    end: () => end,
    unseen: (): readonly Message[] => unseen,
    unseenMail: (): readonly DirectMessage[] => unseen.filter(isMail),
    /** Removes the messages from the unseen ones and acknowledges them. */
    markSeen(messages: readonly Message[]): void {
      const ids = new Set(messages.map(({ id }) => id));
      unseen = unseen.filter(({ id }) => !ids.has(id));
      const newest = messages.findLast(isMail);
      if (!newest) return;
      pendingAck = newest.id;
      timer ??= setTimeout(() => void acknowledge(), BATCH_DELAY_MS);
    },
    /** Calls `listener` on every update; returns a function that unsubscribes it. */
    subscribe(listener: (update: LiveUpdate) => void): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Reconnects at once if the stream is waiting for its next attempt. */
    reconnect: (): void => stream.reconnect(),
    async close(withinMs: number): Promise<void> {
      listeners.clear();
      // On failure the messages are delivered again.
      await acknowledge(AbortSignal.timeout(withinMs)).catch(() => {});
      clearTimeout(timer);
      stop.abort();
      await running.catch(() => {});
    },
  };
}
