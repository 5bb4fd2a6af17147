/**
 * The event stream of a login and the state built from it: presence, connection and unseen messages. Messages stay
 * unseen until a screen shows them. A direct message is acknowledged only when it has been shown, so that unseen ones
 * are delivered again after the next login.
 */
import type {
  EndOfStream,
  Gap,
  Message,
  Parley,
  Problem,
  StreamEvent,
  StreamState,
} from '@parley-chat/client';
import { createAcknowledgements } from './acknowledgements.ts';
import { createPresence, type Presence } from './presence.ts';
import { createUnseenMessages, type UnseenMessages } from './unseen-messages.ts';

export type LiveUpdate =
  | { kind: 'message'; message: Message }
  | { kind: 'presence'; online: string[]; offline: string[] }
  | { kind: 'gap'; reason: Gap['reason'] }
  | { kind: 'connection'; isDisconnected: boolean }
  | { kind: 'ended'; reason: EndOfStream; problem?: Problem };
type Listener = (update: LiveUpdate) => void;

export type LiveState = ReturnType<typeof openLiveState>;

/** Limit for the names fetched after (re)connecting; the rest only counts. */
const MAX_NAMES = 1_000;

export function openLiveState(parley: Parley, me: string) {
  const stop = new AbortController();
  const listeners = new Set<Listener>();
  const notify: Listener = (update) => {
    for (const listener of listeners) listener(update);
  };
  const presence = createPresence();
  const unseen = createUnseenMessages(me);
  const connection = createConnectionState(notify);
  const acknowledgements = createAcknowledgements(parley, () => connection.end() !== undefined);
  const handle = createEventHandler({ parley, presence, unseen, notify });

  const stream = parley.events({ signal: stop.signal, acknowledge: false, onState: connection.onState });
  const running = (async () => {
    for await (const event of stream) handle(event);
  })();

  return {
    presence,
    isDisconnected: connection.isDisconnected,
    end: connection.end,
    unseen: unseen.all,
    unseenMail: unseen.mail,
    /** Removes the messages from the unseen ones and acknowledges them. */
    markSeen(messages: readonly Message[]): void {
      const newestMail = unseen.remove(messages);
      if (newestMail) acknowledgements.add(newestMail.id);
    },
    /** Calls `listener` on every update; returns a function that unsubscribes it. */
    subscribe(listener: Listener): () => void {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    /** Reconnects at once if the stream is waiting for its next attempt. */
    reconnect: (): void => stream.reconnect(),
    async close(withinMs: number): Promise<void> {
      listeners.clear();
      await acknowledgements.close(withinMs);
      stop.abort();
      await running.catch(() => {});
    },
  };
}

function createConnectionState(notify: Listener) {
  let isDisconnected = false;
  let end: Extract<LiveUpdate, { kind: 'ended' }> | undefined;

  return {
    isDisconnected: (): boolean => isDisconnected,
    /** How the stream has ended; undefined until then. */
    end: () => end,
    onState(state: StreamState): void {
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
  };
}

type HandlerParts = { parley: Parley; presence: Presence; unseen: UnseenMessages; notify: Listener };

/** Returns the function that applies an event to the state and notifies the listeners. */
function createEventHandler({
  parley,
  presence,
  unseen,
  notify,
}: HandlerParts): (event: StreamEvent) => void {
  async function loadPresence(): Promise<void> {
    await presence.load(async () => (await parley.listOnline({ limit: MAX_NAMES })).data);
    notify({ kind: 'presence', online: [], offline: [] });
  }

  return (event) => {
    switch (event.kind) {
      case 'ready':
        presence.setTotal(event.online);
        if (event.presence === 'all') void loadPresence();
        break;
      case 'dm':
      case 'broadcast':
        unseen.add(event);
        notify({ kind: 'message', message: event });
        break;
      case 'presence':
        presence.apply(event);
        if (event.resync) void loadPresence();
        notify({ kind: 'presence', online: event.online ?? [], offline: event.offline ?? [] });
        break;
      case 'mailbox':
        unseen.removeAcknowledged(event.upTo, event.unread);
        notify({ kind: 'presence', online: [], offline: [] });
        break;
      case 'gap':
        notify({ kind: 'gap', reason: event.reason });
        break;
      case 'goodbye':
        break;
    }
  };
}
