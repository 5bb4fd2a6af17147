/** All that the page knows, as plain data, and who is told when it has changed: once for all changes of one turn. */
import type { ProblemCode, StreamState } from '@parley-chat/client';
import { type Conversation, newConversation } from './conversation.ts';
import type { Language, Word } from './i18n.ts';

export type State = {
  language: Language;
  /** Nobody: the page shows the login. */
  me: string | undefined;
  /** Said above the login: why one is there again. */
  notice: Word | undefined;
  connection: StreamState;
  /** When the next attempt to connect is due, by this machine's clock. */
  retryAtMs: number;
  /** The stream left something out, and nobody has taken note yet. */
  hasGap: boolean;
  /** Of all who are or were in sight. */
  displayNames: Map<string, string>;
  online: Set<string>;
  onlineTotal: number;
  talks: Map<string, Conversation>;
  /** The name of the talk that is shown. */
  open: string | undefined;
  /** The newest message is in view. */
  isAtEnd: boolean;
};

export type Store = ReturnType<typeof createStore>;

const nobody = () => ({
  me: undefined,
  connection: { kind: 'idle' } as const,
  retryAtMs: 0,
  hasGap: false,
  displayNames: new Map<string, string>(),
  online: new Set<string>(),
  onlineTotal: 0,
  talks: new Map<string, Conversation>(),
  isAtEnd: true,
});

export function createStore(language: Language) {
  const state: State = { language, notice: undefined, open: undefined, ...nobody() };
  const watchers: (() => void)[] = [];
  let isTelling = false;

  return {
    state,
    watch(watcher: () => void): void {
      watchers.push(watcher);
    },
    changed(): void {
      if (isTelling) return;
      isTelling = true;
      // Not an animation frame: a page in the background has none, and still counts what is unread.
      queueMicrotask(() => {
        isTelling = false;
        for (const watcher of watchers) watcher();
      });
    },
    talk(name: string): Conversation {
      const talk = state.talks.get(name) ?? newConversation(name);
      state.talks.set(name, talk);
      return talk;
    },
    forgetAll(): void {
      Object.assign(state, nobody());
    },
  };
}

/** Without a stream nobody is told who comes and goes: what `online` says was true when it broke. */
export const isStale = ({ connection }: State): boolean => connection.kind !== 'open';

/** What a problem is called on the page; those that people do not cause share one word. */
export function wordFor(code: ProblemCode): Word {
  return PROBLEM_WORDS[code] ?? 'problemOther';
}

const PROBLEM_WORDS: Partial<Record<ProblemCode, Word>> = {
  bad_credentials: 'problemCredentials',
  username_taken: 'problemTaken',
  too_many_requests: 'problemTooMany',
  unknown_user: 'problemUnknownUser',
  unreachable: 'problemUnreachable',
  unavailable: 'problemUnavailable',
  busy: 'problemUnavailable',
  validation_failed: 'problemInvalid',
  logged_out: 'problemLoggedOut',
};
