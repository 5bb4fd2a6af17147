/**
 * Which accounts have a stream, and on which nodes. Accounts are spread over 16 shards, each a hash and the registry of the
 * nodes that announce there; only a change between offline and online is published.
 */
import { createEvictionStore, DEAD_AFTER_MS } from './eviction.ts';
import { createOnlineList } from './online-list.ts';
import { createOnlineSizes, type OnlineSizes } from './online-sizes.ts';
import type { Store } from './redis/client.ts';
import { PRESENCE_SHARDS } from './redis/keys.ts';

/** A stopping node is evicted after this long, so that its clients can reconnect elsewhere without a flicker. */
const LEAVE_GRACE_MS = 6_000;

const SHARDS = Array.from({ length: PRESENCE_SHARDS }, (_, shard) => shard);

/** `changes`: how many changes each shard has recorded from this node, as far as the node knows. */
type NodeRecord = { id: string; isRegistered: boolean; changes: number[] };

export type PresenceStore = ReturnType<typeof createPresenceStore>;

export function createPresenceStore(store: Store, nodeId: string) {
  const sizes = createOnlineSizes(store);
  return {
    ...createNodeRecord(store, nodeId, sizes),
    ...createOnlineList(store),
    eviction: createEvictionStore(store, nodeId),
    sizes,
  };
}

/**
 * Everything this node announced is recorded under its node id. Each shard counts the changes of each node. A shard that
 * has counted less than the node knows has lost its latest changes (Redis restarted, or failed over). The node then takes
 * a new id and announces every account again; records under the old id are evicted as if that node had died. The same
 * happens when the node was evicted.
 */
function createNodeRecord(store: Store, nodeId: string, sizes: OnlineSizes) {
  const { keys, commands, run, attempt } = store;
  const channel = keys.channels.presence;
  let record = newRecord(nodeId);
  let idCount = 1;

  function changeId(): void {
    idCount += 1;
    record = newRecord(`${nodeId}.${idCount}`);
  }

  async function retire(): Promise<void> {
    if (record.isRegistered) await beat(store, record, DEAD_AFTER_MS - LEAVE_GRACE_MS);
  }

  async function change(script: 'presence-join' | 'presence-leave', username: string) {
    const current = record;
    const shard = keys.shardOf(username);
    const applySize = sizes.awaitOwnChange(shard);
    const [state, changes, size] = await run(
      script,
      [keys.online(shard), keys.onlineNodes(shard)],
      [username, current.id, channel, shard, current.changes[shard]!],
    );
    if (state !== 'unknown') current.changes[shard] = Math.max(current.changes[shard]!, changes);
    if (state === 'online' || state === 'offline') applySize(size);
    return state;
  }

  return {
    /** 'unknown': this node was declared dead, or Redis lost changes. Send a heartbeat first. */
    join: (username: string) => change('presence-join', username),
    leave: (username: string) => change('presence-leave', username),

    /** Returns whether the records of this node are complete; if not, announce every account again. */
    async sendHeartbeat(): Promise<{ isKnown: boolean }> {
      if (record.isRegistered) {
        const replies = [beat(store, record), isComplete(store, record), sizes.refresh()] as const;
        const [isRecorded, hasAllChanges] = await Promise.all(replies);
        if (isRecorded && hasAllChanges) return { isKnown: true };
        if (isRecorded) await retire();
        changeId();
      }
      while (!(await beat(store, record))) changeId(); // evicted before it knew that it was registered
      await Promise.all([register(store, record), sizes.refresh()]);
      return { isKnown: false };
    },

    /** Announce that this node is stopping; another node evicts its records after the grace period. */
    retire,

    /** Tell all nodes that an account has another display name. */
    async announceRename(username: string): Promise<void> {
      await attempt(commands.spublish(channel, `= ${username}`));
    },
  };
}

const newRecord = (id: string): NodeRecord => ({ id, isRegistered: false, changes: SHARDS.map(() => 0) });

/** Returns false if this id was evicted. */
async function beat(store: Store, { id, isRegistered }: NodeRecord, ageMs = 0): Promise<boolean> {
  const args = [id, isRegistered ? 0 : 1, ageMs];
  const [now, isRecorded] = await store.run('node-heartbeat', [store.keys.heartbeats], args);
  store.setClock(now);
  return isRecorded === 1;
}

async function register({ keys, commands, attempt }: Store, record: NodeRecord): Promise<void> {
  await attempt(Promise.all(SHARDS.map((shard) => commands.hsetnx(keys.onlineNodes(shard), record.id, 0))));
  record.isRegistered = true;
}

/** Returns false if a shard has lost changes of this node, or the node. */
async function isComplete({ keys, commands, attempt }: Store, { id, changes }: NodeRecord): Promise<boolean> {
  const known = [...changes];
  const counted = await attempt(
    Promise.all(SHARDS.map((shard) => commands.hget(keys.onlineNodes(shard), id))),
  );
  return SHARDS.every((shard) => Number(counted[shard] ?? -1) >= known[shard]!);
}
