/**
 * Which direct messages wait to be seen, and what is acknowledged. The server knows one place in the inbox: all before
 * it is acknowledged. The page has many talks, read in any order. So messages stand in a line as they came, each seen
 * or not, and what is acknowledged is the part at the front that was seen. Unseen ones come again after a reload.
 */
import type { DirectMessage, Problem } from '@parley-chat/client';

type Waiting = { id: string; from: string; isSeen: boolean };
type Acknowledge = (upTo: string) => Promise<{ problem?: Problem | undefined }>;

export type Mailbox = ReturnType<typeof createMailbox>;

const GATHER_MS = 300;
const RETRY_MS = 5_000;

export function createMailbox(acknowledge: Acknowledge, seenBefore: Iterable<string>) {
  const before = new Set(seenBefore);
  let line: Waiting[] = [];
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isTelling = false;

  const seenInFront = (): number => {
    const unseen = line.findIndex(({ isSeen }) => !isSeen);
    return unseen === -1 ? line.length : unseen;
  };

  function later(ms: number): void {
    if (seenInFront() === 0 || isTelling) return;
    timer ??= setTimeout(() => void tell(), ms);
  }

  async function tell(): Promise<void> {
    timer = undefined;
    const upTo = line[seenInFront() - 1];
    if (!upTo) return;
    isTelling = true;
    const { problem } = await acknowledge(upTo.id);
    isTelling = false;
    // The server may have lost it, and what came before it: there is nothing to acknowledge any more.
    if (!problem || problem.code === 'unknown_message') remove(upTo.id);
    later(problem ? RETRY_MS : GATHER_MS);
  }

  function remove(upTo: string): void {
    line = line.slice(line.findIndex(({ id }) => id === upTo) + 1);
  }

  return {
    received({ id, from }: DirectMessage): void {
      if (line.some((each) => each.id === id)) return;
      line.push({ id, from, isSeen: before.delete(id) });
      later(GATHER_MS);
    },
    unread: (from: string): number => line.filter((each) => each.from === from && !each.isSeen).length,
    /** Answers whether that was news. */
    see(from: string): boolean {
      const news = line.filter((each) => each.from === from && !each.isSeen);
      for (const each of news) each.isSeen = true;
      later(GATHER_MS);
      return news.length > 0;
    },
    /** By another session of this account. */
    acknowledged(upTo: string, unread: number): void {
      if (unread === 0) line = [];
      else remove(upTo);
    },
    seen: (): string[] => line.filter(({ isSeen }) => isSeen).map(({ id }) => id),
    stop: (): void => clearTimeout(timer),
  };
}
