/** The log: one JSON object per line on standard output. Tokens and passwords are cut out wherever they turn up. */
import { pino } from 'pino';
import type { Config } from './config.ts';

export type Logger = ReturnType<typeof createLogger>;

const SECRETS = ['password', 'accessToken', 'refreshToken', 'authorization', 'cookie', 'ticket'];

export function createLogger(level: Config['LOG_LEVEL'], destination?: { write(line: string): void }) {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  paths.push('err.command.args'); // what ioredis adds to an error of Redis: texts of messages, hashes of passwords
  const options = { level, redact: { paths, censor: '[redacted]' } };
  return destination ? pino(options, destination) : pino(options);
}
