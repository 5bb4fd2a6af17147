/**
 * Every key and channel of Parley, defined only here (docs/explanation/architecture.md lists what they contain). `{}`
 * marks the part that a Redis Cluster would hash; usernames contain no braces, colons or bars.
 */
import { createHash } from 'node:crypto';

/** The keys of one log: its entries, its meta hash, and the index by idempotency key. */
export type LogKeys = { list: string; meta: string; keys: string };
export type InboxKeys = {
  list: string;
  meta: string;
  ids: string;
  conversations: string;
  /** Unread counts per sender; each unread entry; every account this one has written to. */
  senders: string;
  mail: string;
  friends: string;
  /** Senders that fill more than a small part of the inbox. */
  heavy: string;
  channel: string;
};

export const PRESENCE_SHARDS = 16;

export type Keys = ReturnType<typeof createKeys>;

/** The names that are used before the realm is known. */
export const startKeys = (prefix: string) => ({ realm: `${prefix}realm`, channel: `${prefix}start` });

/** `realm`: the id of the database, because all databases of a server share their channels. */
export function createKeys(prefix: string, realm: string) {
  const key = (name: string) => `${prefix}${name}`;
  const channel = (name: string) => `${prefix}${realm}:${name}`;

  return {
    realm: startKeys(prefix).realm,
    account: (username: string) => key(`account:{${username}}`),
    /** Pattern for SCAN, and the username in a matching key. */
    accounts: `${prefix.replace(/[*?[\]^\\-]/g, '\\$&')}account:{*}`,
    usernameIn: (account: string) => account.slice(key('account:{').length, -1),
    skeleton: (digest: string) => key(`skeleton:{${digest}}`),
    skeletons: key('skeletons'),
    session: (username: string, sid: string) => key(`session:{${username}}:${sid}`),
    sessions: (username: string) => key(`sessions:{${username}}`),
    ticket: (hash: string) => key(`ticket:{${hash}}`),
    revoked: key('revoked'),
    limit: (purpose: string, who: string) => key(`limit:${purpose}:{${who}}`),
    nodes: key('nodes'),
    evictor: key('evictor'),
    shardOf: (username: string): number => createHash('sha1').update(username).digest()[0]! % PRESENCE_SHARDS,
    online: (shard: number) => key(`online:{${shard}}`),
    onlineNodes: (shard: number) => key(`online:{${shard}}:nodes`),

    broadcasts: {
      list: key('{broadcasts}'),
      meta: key('{broadcasts}:meta'),
      keys: key('{broadcasts}:keys'),
    } satisfies LogKeys,
    conversation: (a: string, b: string): LogKeys => {
      const base = key(`conversation:{${a < b ? `${a}|${b}` : `${b}|${a}`}}`);
      return { list: base, meta: `${base}:meta`, keys: `${base}:keys` };
    },
    inbox: (username: string): InboxKeys => {
      const base = key(`inbox:{${username}}`);
      return {
        list: base,
        meta: `${base}:meta`,
        ids: `${base}:ids`,
        conversations: key(`conversations:{${username}}`),
        senders: `${base}:senders`,
        mail: `${base}:mail`,
        friends: `${base}:friends`,
        heavy: `${base}:heavy`,
        channel: channel(`inbox:{${username}}`),
      };
    },

    channels: {
      broadcasts: channel('{broadcasts}'),
      presence: channel('presence'),
      revoked: channel('revoked'),
      probe: (nodeId: string) => channel(`probe:${nodeId}`),
    },
  };
}
