/**
 * The version of the data in Redis, a field of the realm. A release writes one version, and converts what has none. Entries
 * have a version of their own (log/entry.ts), so that two releases with the same data version can share a database.
 */
export const DATA_VERSION = 2;
