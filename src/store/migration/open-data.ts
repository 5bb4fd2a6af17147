/** Makes sure that Redis holds data of the version that this release uses. */
import { DATA_VERSION } from '../data-version.ts';
import { type MigrationOptions, migrate } from './migrate.ts';
import { isEarlierForm } from './scan.ts';

/** Field of the realm. */
const FIELD = 'version';

/** Throws an error of one sentence if this release cannot use the data. */
export async function openData(options: MigrationOptions): Promise<void> {
  const { store, prefix } = options;
  const { commands, keys, attempt } = store;
  const version = Number((await attempt(commands.hget(keys.realm, FIELD))) ?? 0);
  if (version === DATA_VERSION) return;
  if (version > 0)
    throw new Error(
      `Redis holds data of version ${version}, and this release of Parley uses version ${DATA_VERSION}. Start the release that wrote it, or a newer one.`,
    );
  if (await attempt(isEarlierForm({ redis: commands, prefix }))) await migrate(options);
  await attempt(commands.hset(keys.realm, FIELD, DATA_VERSION));
  await attempt(commands.hdel(keys.realm, 'migrating'));
}
