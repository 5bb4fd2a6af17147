/** A logger whose lines a test can read. */
import { createLogger, type Logger } from '../../src/logger.ts';

// biome-ignore lint/suspicious/noExplicitAny: lines are whatever was logged
type Line = any;

export function recorder(): { log: Logger; text: () => string; lines: () => Line[] } {
  let written = '';
  const write = (line: string) => {
    written += line;
  };
  const lines = () => written.split('\n').flatMap((line) => (line ? [JSON.parse(line)] : []));
  return { log: createLogger('debug', { write }), text: () => written, lines };
}
