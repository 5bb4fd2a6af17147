/**
 * The device tokens that the server issued, one per account that logged in here. The token is sent with the account's
 * next login, so that somebody else's failed attempts do not lock this device out. It is not a credential, and it
 * outlives the session.
 */
/** A storage may be synchronous or not. */
export type MaybePromise<T> = T | Promise<T>;

/** Stores device tokens by normalized username. Without a storage they are kept in memory only. */
export type DeviceStorage = {
  /** The stored token of this account, or undefined. */
  get(username: string): MaybePromise<string | undefined>;
  /** Replaces the stored token of this account. */
  set(username: string, deviceToken: string): MaybePromise<void>;
};

export type Devices = ReturnType<typeof createDevices>;

/** As the server normalizes usernames. */
const normalize = (username: string): string => username.trim().normalize('NFKC').toLowerCase();

/** A storage error is ignored: logging in works without a device token. */
export function createDevices(storage: DeviceStorage = inMemory()) {
  return {
    async tokenFor(username: string): Promise<string | undefined> {
      try {
        return await storage.get(normalize(username));
      } catch {
        return undefined;
      }
    },
    async save(username: string, deviceToken: string | undefined): Promise<void> {
      try {
        if (deviceToken !== undefined) await storage.set(normalize(username), deviceToken);
      } catch {}
    },
  };
}

function inMemory(): DeviceStorage {
  const tokens = new Map<string, string>();
  return {
    get: (username) => tokens.get(username),
    set: (username, token) => void tokens.set(username, token),
  };
}
