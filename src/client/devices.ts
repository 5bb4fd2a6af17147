/**
 * What the server gave this device for each account that logged in here. Sent with the next login of that account, so that
 * others who guess its password cannot lock this device out. It lets nobody in, and stays when the session ends.
 */
type Maybe<T> = T | Promise<T>;

/** Where device tokens are kept, by username; without one, in memory only. */
export type DeviceStorage = {
  get(username: string): Maybe<string | undefined>;
  set(username: string, deviceToken: string): Maybe<void>;
};

/** People type their names in more than one spelling. */
const spelled = (username: string): string => username.trim().normalize('NFKC').toLowerCase();

/** A login goes on without what cannot be kept. */
export function createDevices(storage: DeviceStorage = inMemory()) {
  return {
    async of(username: string): Promise<string | undefined> {
      try {
        return await storage.get(spelled(username));
      } catch {
        return undefined;
      }
    },
    async keep(username: string, deviceToken: string | undefined): Promise<void> {
      try {
        if (deviceToken !== undefined) await storage.set(spelled(username), deviceToken);
      } catch {}
    },
  };
}

function inMemory(): DeviceStorage {
  const kept = new Map<string, string>();
  return { get: (username) => kept.get(username), set: (username, token) => void kept.set(username, token) };
}
