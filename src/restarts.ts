/**
 * Runs a node, and replaces it with a new one when Redis turns out to hold a different database (a restored backup, or an
 * address that now leads elsewhere). The old node remembers accounts, sessions and presence of the previous database.
 * Starting a new node is simpler than giving every part of a node a way to reset itself.
 */
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

type Node = { address: AddressInfo; close(options?: { unreadyMs?: number }): Promise<void> };
type Log = { warn(message: string): void; error(message: string): void };

const RETRY_MS = 1_000;

/** `start` gets a function to call when Redis was replaced, and the port if an earlier node had one. */
export async function startReplaceable<N extends Node>(
  start: (onReplaced: () => void, port?: number) => Promise<N>,
  log: Log,
): Promise<N> {
  let isClosing = false;
  let replacing = Promise.resolve();
  const first = await start(onReplaced);
  let node: N | undefined = first;

  function onReplaced(): void {
    replacing = replacing.then(replace);
  }

  async function replace(): Promise<void> {
    if (isClosing) return;
    log.error('Redis now holds a different database: closing all streams and restarting this node');
    await node?.close({ unreadyMs: 0 });
    node = undefined;
    while (!node && !isClosing) {
      node = await start(onReplaced, first.address.port).catch((error: Error) => {
        log.warn(error.message);
        return undefined;
      });
      if (!node) await sleep(RETRY_MS);
    }
  }

  return {
    ...first,
    close: async (options) => {
      isClosing = true;
      await replacing;
      await node?.close(options);
    },
  };
}
