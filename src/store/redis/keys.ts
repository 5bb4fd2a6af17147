/**
 * Every key and channel of Parley, defined only here (docs/explanation/architecture.md lists what they contain). `{}`
 * marks the part that a Redis Cluster would hash; usernames contain no braces, colons or bars.
 */
import { createHash } from 'node:crypto';
import { tagOf, tagOfChannel } from './partitions.ts';

/** The keys of one log: its entries, and a hash with its state. */
export type LogKeys = { list: string; hash: string };
/** `heavy`: the channels that fill more than a small part of the inbox. */
export type InboxKeys = LogKeys & { heavy: string; pubsub: string };

/** The keys of an inbox in the order the scripts expect. */
export const inboxKeys = ({ list, hash, heavy }: InboxKeys): string[] => [list, hash, heavy];

export const PRESENCE_SHARDS = 16;

export type Keys = ReturnType<typeof createKeys>;

/** The names that are used before the realm is known. */
export const startKeys = (prefix: string) => ({ realm: `${prefix}realm`, channel: `${prefix}start` });

/** `realm`: the id of the database, because all databases of a server share their channels. */
export function createKeys(prefix: string, realm: string) {
  const key = (name: string) => `${prefix}${name}`;
  const channel = (name: string) => `${prefix}${realm}:${name}`;
  /** A key of an account: all of them lie in one slot. */
  const keyOf = (username: string, name: string) => `${prefix}{${tagOf(username)}}:${name}:${username}`;

  return {
    realm: startKeys(prefix).realm,
    account: (username: string) => keyOf(username, 'account'),
    /** Pattern for SCAN, and the username in a matching key. */
    accounts: `${prefix.replace(/[*?[\]^\\-]/g, '\\$&')}{???}:account:*`,
    usernameIn: (account: string) => account.slice(key('{tag}:account:').length),
    skeleton: (digest: string) => key(`skeleton:{${digest}}`),
    skeletons: key('skeletons'),
    session: (username: string, sid: string) => keyOf(username, `session:${sid}`),
    sessions: (username: string) => keyOf(username, 'sessions'),
    ticket: (hash: string) => key(`ticket:{${hash}}`),
    revoked: key('revoked'),
    sendLimit: (username: string) => keyOf(username, 'limit:send'),
    limit: (purpose: string, who: string) => key(`limit:${purpose}:{${who}}`),
    heartbeats: key('heartbeats'),
    /** Heartbeats of releases before the data version. */
    earlierNodes: key('nodes'),
    evictor: key('evictor'),
    shardOf: (username: string): number => createHash('sha1').update(username).digest()[0]! % PRESENCE_SHARDS,
    online: (shard: number) => key(`online:{${shard}}`),
    onlineNodes: (shard: number) => key(`online:{${shard}}:nodes`),

    everyone: { list: key('{everyone}'), hash: key('{everyone}:state') } satisfies LogKeys,
    /** The log of a direct channel. */
    direct: (channel: string): LogKeys => {
      const list = key(`{${tagOfChannel(channel)}}:log:${channel}`);
      return { list, hash: `${list}:state` };
    },
    inbox: (username: string): InboxKeys => {
      const list = keyOf(username, 'inbox');
      const pubsub = channel(`{${tagOf(username)}}:inbox:${username}`);
      return { list, hash: `${list}:channels`, heavy: `${list}:heavy`, pubsub };
    },

    channels: {
      everyone: channel('{everyone}'),
      presence: channel('presence'),
      revoked: channel('revoked'),
      probe: (nodeId: string) => channel(`probe:${nodeId}`),
    },
  };
}
