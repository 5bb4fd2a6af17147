/**
 * The configuration of a process. The only file that reads the environment. Reports all invalid settings together, and never
 * the value of a secret.
 */
import { readEnvFile } from './env-file.ts';
import { InvalidSetting } from './parsers.ts';
import { SETTINGS, type Setting } from './settings.ts';

type SettingName = keyof typeof SETTINGS;
export type Config = { [Name in SettingName]: ReturnType<(typeof SETTINGS)[Name]['parse']> } & {
  /** Searched for the program of the private Redis. */
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

/** Throws one error that lists every invalid setting. */
export function readConfig(env: Record<string, string | undefined> = process.env): Config {
  const problems: string[] = [];
  const values: Record<string, unknown> = { PATH: env['PATH'] ?? '' };
  for (const [name, setting] of Object.entries<Setting<unknown>>(SETTINGS)) {
    const value = env[name]?.trim() || setting.default;
    try {
      values[name] = setting.parse(value);
    } catch (error) {
      if (!(error instanceof InvalidSetting)) throw error;
      problems.push(
        `${name} must be ${error.message}${setting.secret ? '' : `; it is ${JSON.stringify(value)}`}`,
      );
    }
  }
  const [hasSecret, hasSecretFile] = [env['JWT_SECRET']?.trim(), env['JWT_SECRET_FILE']?.trim()];
  if (hasSecret && hasSecretFile) problems.push('JWT_SECRET and JWT_SECRET_FILE are both set; set only one');
  if (values['REDIS_URL'] && !hasSecret && !hasSecretFile) {
    problems.push(
      'JWT_SECRET or JWT_SECRET_FILE must be set together with REDIS_URL, the same on every node (try: openssl rand -hex 32)',
    );
  }
  if (problems.length > 0)
    throw new Error(`The configuration is invalid:\n${problems.map((each) => `  ${each}`).join('\n')}`);
  values['JWT_SECRET'] ??= values['JWT_SECRET_FILE'];
  return values as Config; // each value was parsed by the parser of its own setting
}
