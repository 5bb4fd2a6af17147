/** What is stored at the end, asked for through the public door, page by page. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Answer, Client } from './client.ts';
import { BROADCASTS, conversationOf, type Mailbox, type Stored } from './history.ts';
import type { Session } from './session.ts';

const PAGE = 100;
const TRIES = 40;
const AT_ONCE = 16;

/** So many at a time. */
async function forEach<T>(all: Iterable<T>, work: (each: T) => Promise<void>): Promise<void> {
  const left = [...all].values();
  const worker = async () => {
    for (const each of left) await work(each);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
}

/** Gets, whatever happens on the way. */
async function get(client: Client, session: Session, path: string): Promise<Answer['body']> {
  for (let tries = 0; tries < TRIES; tries += 1) {
    const { status, body } = await client
      .ask('GET', path, { token: session.token })
      .catch(() => ({ status: 0, body: undefined }));
    if (status === 200) return body;
    if (status === 401) await session.renew();
    else await sleep(250);
  }
  throw new Error(`${path} cannot be had`);
}

async function wholeLog(client: Client, session: Session, path: string): Promise<Stored[]> {
  const all: Stored[] = [];
  for (let after = 0; ; ) {
    const { messages, hasMore } = await get(client, session, `${path}?after=${after}&limit=${PAGE}`);
    for (const { id, kind, from, to, seq, text } of messages)
      all.push({ id, kind, from, seq, text: text.split(' ', 1)[0], ...(to !== undefined && { to }) });
    if (!hasMore) return all;
    after = all.at(-1)!.seq;
  }
}

/** Everything that is in the broadcasts and in each conversation. */
export async function storedLogs(client: Client, sessions: Session[]): Promise<Map<string, Stored[]>> {
  const logs = new Map<string, Stored[]>();
  logs.set(BROADCASTS, await wholeLog(client, sessions[0]!, '/v1/broadcasts'));
  const talks = new Map<string, [Session, string]>();
  await forEach(sessions, async (session) => {
    let cursor = '';
    do {
      const page = await get(client, session, `/v1/dm?limit=${PAGE}${cursor}`);
      for (const { with: other } of page.conversations)
        talks.set(conversationOf(session.username, other), [session, other]);
      cursor = page.nextCursor === null ? '' : `&cursor=${page.nextCursor}`;
    } while (cursor);
  });
  await forEach(talks, async ([log, [session, other]]) => {
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

/** Who is online, as one node lists it; undefined when it does not. */
export async function online(client: Client, session: Session, url: string): Promise<string[] | undefined> {
  const users: string[] = [];
  let cursor = '';
  do {
    const { status, body } = await client
      .ask('GET', `/v1/online?limit=${PAGE}${cursor}`, { token: session.token, url })
      .catch(() => ({ status: 0, body: undefined }));
    if (status === 401) await session.renew().catch(() => {});
    if (status !== 200) return undefined;
    for (const { username } of body.users) users.push(username);
    cursor = body.nextCursor === null ? '' : `&cursor=${body.nextCursor}`;
  } while (cursor);
  return users.sort();
}
