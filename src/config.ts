/**
 * The configuration of a process. The only file that reads the environment. Reports all faults together, and never
 * the value of a secret.
 */
import { readEnvFile } from './env-file.ts';
import { Rule } from './parsers.ts';
import { SETTINGS, type Setting } from './settings.ts';

type SettingName = keyof typeof SETTINGS;
export type Config = { [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]['parse']> } & {
  /** Where programs are looked for: the private Redis. */
  PATH: string;
};

export const retentionOf = (config: Config) => ({
  broadcasts: config.BROADCAST_LIMIT,
  broadcastBytes: config.BROADCAST_BYTES,
  history: config.HISTORY_LIMIT,
  historyBytes: config.HISTORY_BYTES,
  inbox: config.INBOX_LIMIT,
  inboxBytes: config.INBOX_BYTES,
  accountBytes: config.ACCOUNT_BYTES,
});

/**
 * Adds the variables of `.env` in the current directory, if there is one, to the environment. Variables that are already
 * set win. Workers inherit the result.
 */
export function loadEnvFile(): void {
  for (const [name, value] of Object.entries(readEnvFile('.env'))) process.env[name] ??= value;
}

/** Throws one Error that names every fault. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const faults: string[] = [];
  const values: Record<string, unknown> = { PATH: env['PATH'] ?? '' };
  for (const [name, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const given = env[name]?.trim() || setting.default;
    try {
      values[name] = setting.parse(given);
    } catch (error) {
      if (!(error instanceof Rule)) throw error;
      faults.push(
        `${name} must be ${error.message}${setting.secret ? '' : `; it is ${JSON.stringify(given)}`}`,
      );
    }
  }
  const [hasSecret, hasSecretFile] = [env['JWT_SECRET']?.trim(), env['JWT_SECRET_FILE']?.trim()];
  if (hasSecret && hasSecretFile) faults.push('JWT_SECRET and JWT_SECRET_FILE are both set; set only one');
  if (values['REDIS_URL'] && !hasSecret && !hasSecretFile) {
    faults.push(
      'JWT_SECRET or JWT_SECRET_FILE must be set together with REDIS_URL, the same on every node (try: openssl rand -hex 32)',
    );
  }
  if (faults.length > 0)
    throw new Error(`The configuration is not usable:\n${faults.map((each) => `  ${each}`).join('\n')}`);
  values['JWT_SECRET'] ??= values['JWT_SECRET_FILE'];
  return values as Config; // each name was parsed by its own row
}
