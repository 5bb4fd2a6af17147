/** The lock that serializes the refreshes of clients that share a storage. */

/** Runs `task` while no other client holds the lock called `name`. */
export type Lock = <T>(name: string, task: () => Promise<T>) => Promise<T>;

type WebLocks = { request<T>(name: string, task: () => Promise<T>): Promise<T> };

/** The lock shared by the tabs of a browser. Without one the task runs unlocked. */
export const tabLock: Lock = (name, task) => {
  // Not every runtime's types include it.
  const { locks } = (globalThis as { navigator?: { locks?: WebLocks } }).navigator ?? {};
  return locks ? locks.request(name, task) : task();
};
