/**
 * Runs a node, and another in its place when its Redis has been replaced by one with other data (a restored backup, an
 * address that leads elsewhere): the accounts, sessions and presence that the node remembers are those of the former one.
 * A new node instead of a new state of the old one, because every part of a node would need a way to forget.
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
    log.error('Redis holds another database than before: this node ends its streams and starts over');
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
