/** Reads the data stored at the end through the public API, page by page. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Body, type Client, NO_RESPONSE } from './client.ts';
import { BROADCASTS, conversationOf, type Mailbox, type Stored } from './history.ts';
import type { Session } from './session.ts';

const PAGE = 100;
const ATTEMPTS = 40;
const CONCURRENCY = 16;

/** Runs `work` on all items with limited concurrency. */
async function forEach<T>(all: Iterable<T>, work: (each: T) => Promise<void>): Promise<void> {
  const queue = [...all].values();
  const worker = async () => {
    for (const each of queue) await work(each);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, worker));
}

/** Retries until the request succeeds. */
async function get(client: Client, session: Session, path: string): Promise<Body> {
  for (let attempt = 0; attempt < ATTEMPTS; attempt += 1) {
    const { status, body } = await client
      .request('GET', path, { token: session.token })
      .catch(() => NO_RESPONSE);
    if (status === 200) return body;
    if (status === 401) await session.renew();
    else await sleep(250);
  }
  throw new Error(`GET ${path} failed ${ATTEMPTS} times`);
}

async function wholeLog(client: Client, session: Session, path: string): Promise<Stored[]> {
  const all: Stored[] = [];
  for (let after = 0; ; ) {
    const { messages, hasMore } = await get(client, session, `${path}?after=${after}&limit=${PAGE}`);
    for (const { id, kind, from, to, seq, text } of messages)
      all.push({ id, kind, from, seq, text: text.split(' ', 1)[0]!, ...(to !== undefined && { to }) });
    if (!hasMore) return all;
    after = all.at(-1)!.seq;
  }
}

/** All broadcasts and all conversations. */
export async function storedLogs(client: Client, sessions: Session[]): Promise<Map<string, Stored[]>> {
  const logs = new Map<string, Stored[]>();
  logs.set(BROADCASTS, await wholeLog(client, sessions[0]!, '/v1/broadcasts'));
  const conversations = new Map<string, [Session, string]>();
  await forEach(sessions, async (session) => {
    let cursor = '';
    do {
      const page = await get(client, session, `/v1/dm?limit=${PAGE}${cursor}`);
      for (const { with: other } of page.conversations)
        conversations.set(conversationOf(session.username, other), [session, other]);
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor);
  });
  await forEach(conversations, async ([log, [session, other]]) => {
    logs.set(log, await wholeLog(client, session, `/v1/dm/${other}`));
  });
  return logs;
}

export async function mailboxes(client: Client, sessions: Session[]): Promise<Map<string, Mailbox>> {
  const all = new Map<string, Mailbox>();
  await forEach(sessions, async (session) => {
    const ids: string[] = [];
    let unread = 0;
    for (let hasMore = true; hasMore; ) {
      const after = ids.length > 0 ? `&after=${ids.at(-1)}` : '';
      const page = await get(client, session, `/v1/mailbox?limit=${PAGE}${after}`);
      for (const { id } of page.messages) ids.push(id);
      ({ hasMore, unread } = page);
    }
    all.set(session.username, { ids, unread });
  });
  return all;
}

/** The online users according to one node; undefined if the request fails. */
export async function online(client: Client, session: Session, url: string): Promise<string[] | undefined> {
  const users: string[] = [];
  let cursor = '';
  do {
    const { status, body } = await client
      .request('GET', `/v1/online?limit=${PAGE}${cursor}`, { token: session.token, url })
      .catch(() => NO_RESPONSE);
    if (status === 401) await session.renew().catch(() => {});
    if (status !== 200) return undefined;
    for (const { username } of body.users) users.push(username);
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
  } while (cursor);
  return users.sort();
}
