/** Reads what was said before: the newest page of a talk when it is opened, older ones as somebody scrolls up. */
import type { Message, Parley, Result } from '@parley-chat/client';
import { type Conversation, EVERYBODY, insert, replace } from './conversation.ts';
import type { Store } from './state.ts';

const PAGE = 50;

type Page = { messages: Message[]; hasMore: boolean };

export type History = ReturnType<typeof createHistory>;

export function createHistory(parley: Parley, { state, changed }: Store) {
  const read = (name: string, before?: number): Promise<Result<Page>> => {
    const page = { limit: PAGE, ...(before !== undefined && { before }) };
    return name === EVERYBODY ? parley.listBroadcasts(page) : parley.listDirect(name, page);
  };

  /** The newest call counts: what an older one brings may miss what came since. */
  const turns = new WeakMap<Conversation, number>();
  const nextTurn = (talk: Conversation): number => {
    const turn = (turns.get(talk) ?? 0) + 1;
    turns.set(talk, turn);
    return turn;
  };

  async function load(
    talk: Conversation,
    before: number | undefined,
    use: (page: Page) => void,
  ): Promise<void> {
    const turn = nextTurn(talk);
    talk.history = 'loading';
    changed();
    const { data, problem } = await read(talk.name, before);
    // Another talk has this name, if somebody else has logged in meanwhile.
    if (state.talks.get(talk.name) !== talk || turns.get(talk) !== turn) return;
    if (data) use(data);
    // Nobody of this name: nothing was ever said.
    talk.history = !problem || problem.code === 'unknown_user' ? 'loaded' : 'failed';
    changed();
  }

  const newest = (talk: Conversation): Promise<void> =>
    load(talk, undefined, ({ messages, hasMore }) => replace(talk, messages, hasMore));

  return {
    newest,
    older(talk: Conversation): Promise<void> {
      const first = talk.messages[0];
      if (!first || !talk.hasMore) return newest(talk);
      return load(talk, first.seq, ({ messages, hasMore }) => {
        insert(talk, messages);
        talk.hasMore = hasMore;
      });
    },
    /** What is here may have holes: it is read anew when it is opened. */
    distrust(talk: Conversation): void {
      nextTurn(talk);
      talk.history = 'unknown';
    },
  };
}
