/**
 * The one stream of a login: who is online, how the connection is, and the messages. A message goes to whoever looks
 * (the chat screen), else it waits among the unseen. A direct message is acknowledged when it was seen, not before: what
 * nobody has seen comes again with the next login.
 */
import type { DirectMessage, EndOfStream, Message, Parley, Problem, StreamEvent } from '../client/index.ts';
import { createPresence } from './presence.ts';
import { isPassing } from './problems.ts';

export type LiveUpdate =
  | { kind: 'message'; message: Message }
  | { kind: 'presence'; online: string[]; offline: string[] }
  | { kind: 'gap'; reason: string }
  | { kind: 'connection'; isAway: boolean }
  | { kind: 'ended'; reason: EndOfStream; problem?: Problem };

export type LiveState = ReturnType<typeof openLiveState>;

/** Names that are asked for after (re)connecting; the rest is only a number. */
const NAMES_ASKED = 1_000;
/** Broadcasts wait to be read only here, and older ones are in the history. */
const UNSEEN_BROADCASTS = 200;
const GATHER_MS = 300;
const RETRY_MS = 3_000;

export function openLiveState(parley: Parley, me: string) {
  const people = createPresence();
  const stop = new AbortController();
  const lookers = new Set<(news: LiveUpdate) => void>();
  let unseen: Message[] = [];
  let isAway = false;
  let end: Extract<LiveUpdate, { kind: 'ended' }> | undefined;
  let seenUpTo: string | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;

  const tell = (news: LiveUpdate): void => {
    for (const looker of lookers) looker(news);
  };

  const isMail = (message: Message): message is DirectMessage => message.kind === 'dm' && message.to === me;

  function receive(message: Message): void {
    unseen.push(message);
    const broadcasts = unseen.filter(({ kind }) => kind === 'broadcast');
    if (broadcasts.length > UNSEEN_BROADCASTS) unseen = unseen.filter((each) => each !== broadcasts[0]);
    tell({ kind: 'message', message });
  }

  /** Another session of this account has acknowledged: what it has seen is seen. */
  function forget(upTo: string, unread: number): void {
    const place = unseen.findIndex(({ id }) => id === upTo);
    unseen = unseen.filter((message, index) => !isMail(message) || (unread > 0 && index > place));
  }

  async function listPeople(): Promise<void> {
    await people.load(async () => (await parley.listOnline({ limit: NAMES_ASKED })).data);
    tell({ kind: 'presence', online: [], offline: [] });
  }

  function take(event: StreamEvent): void {
    switch (event.kind) {
      case 'ready':
        people.count(event.online);
        if (event.presence === 'all') void listPeople();
        break;
      case 'dm':
      case 'broadcast':
        receive(event);
        break;
      case 'presence':
        people.apply(event);
        if (event.resync) void listPeople();
        tell({ kind: 'presence', online: event.online ?? [], offline: event.offline ?? [] });
        break;
      case 'mailbox':
        forget(event.upTo, event.unread);
        tell({ kind: 'presence', online: [], offline: [] });
        break;
      case 'gap':
        tell({ kind: 'gap', reason: event.reason });
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
        tell(end);
      }
      // A token that has expired is nothing to speak of.
      const isNews = state.kind === 'waiting' ? !isAway && state.because !== 'expired' : isAway;
      if (!isNews || (state.kind !== 'open' && state.kind !== 'waiting')) return;
      isAway = state.kind === 'waiting';
      tell({ kind: 'connection', isAway });
    },
  });
  const running = (async () => {
    for await (const event of stream) take(event);
  })();

  async function acknowledge(signal?: AbortSignal): Promise<void> {
    clearTimeout(timer);
    timer = undefined;
    const upTo = seenUpTo;
    seenUpTo = undefined;
    if (upTo === undefined || end) return;
    const { problem } = await parley.ackMailbox(upTo, signal ? { signal } : {});
    if (!problem || !isPassing(problem) || seenUpTo !== undefined) return;
    seenUpTo = upTo;
    timer = setTimeout(() => void acknowledge(), RETRY_MS);
  }

  return {
    people,
    isAway: (): boolean => isAway,
    end: () => end,
    unseen: (): readonly Message[] => unseen,
    unseenMail: (): readonly DirectMessage[] => unseen.filter(isMail),
    /** These were on the screen. */
    seen(messages: readonly Message[]): void {
      const ids = new Set(messages.map(({ id }) => id));
      unseen = unseen.filter(({ id }) => !ids.has(id));
      const newest = messages.findLast(isMail);
      if (!newest) return;
      seenUpTo = newest.id;
      timer ??= setTimeout(() => void acknowledge(), GATHER_MS);
    },
    /** Hears everything from now on, until it is told to stop. */
    look(looker: (news: LiveUpdate) => void): () => void {
      lookers.add(looker);
      return () => void lookers.delete(looker);
    },
    /** If the stream waits to come back, it need not any longer. */
    hurry: (): void => stream.reconnect(),
    async close(withinMs: number): Promise<void> {
      lookers.clear();
      // What cannot be acknowledged comes again.
      await acknowledge(AbortSignal.timeout(withinMs)).catch(() => {});
      clearTimeout(timer);
      stop.abort();
      await running.catch(() => {});
    },
  };
}
