/** The log: one JSON object per line on standard output. Fields that may hold tokens or passwords are redacted. */
import { pino, stdTimeFunctions } from 'pino';
import type { Config } from './config.ts';

export type Logger = ReturnType<typeof createLogger>;

const SECRETS = ['password', 'accessToken', 'refreshToken', 'authorization', 'cookie', 'ticket'];

export function createLogger(level: Config['LOG_LEVEL'], destination?: { write(line: string): void }) {
  const paths = SECRETS.flatMap((name) => [name, `*.${name}`, `*.*.${name}`]);
  paths.push('err.command.args'); // ioredis adds these to errors: message texts, password hashes
  const options = {
    level,
    redact: { paths, censor: '[redacted]' },
    timestamp: stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) }, // log collectors expect "warn", not pino's 40
  };
  return destination ? pino(options, destination) : pino(options);
}
