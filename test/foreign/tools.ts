/** The readers of event streams that nobody here wrote. Two have a test of their own elsewhere and are only listed here. */
import { spawnSync } from 'node:child_process';
import { CHROMIUM } from '../support/chromium.ts';
import { versionOf } from './generators.ts';
import type { Listen } from './readers/reader.ts';

export type Reader = {
  name: string;
  version: () => string;
  auth: 'header' | 'ticket';
  /** How it is used here; or the test that has it. */
  listen?: () => Promise<Listen>;
  note: string;
};

/** The first number that a command says of itself. */
function commandVersion(command: string): string {
  const { stdout } = spawnSync(command, ['--version'], { encoding: 'utf8' });
  return /\d+\.[\d.]+/.exec(stdout ?? '')?.[0] ?? 'not here';
}

export const readers: Reader[] = [
  {
    name: 'curl',
    version: () => commandVersion('curl'),
    auth: 'header',
    listen: async () => (await import('./readers/curl.ts')).listen,
    note: '`curl -sN` in a loop that sends the last `id:`',
  },
  {
    name: 'eventsource',
    version: () => versionOf('eventsource'),
    auth: 'header',
    listen: async () => (await import('./readers/eventsource.ts')).listen,
    note: 'comes back by itself; a `fetch` of its own adds the header',
  },
  {
    name: 'eventsource-with-tickets',
    version: () => versionOf('eventsource'),
    auth: 'ticket',
    listen: async () => (await import('./readers/eventsource.ts')).listenWithTickets,
    note: 'as a browser would: a new one with a new ticket and the last id as `after`',
  },
  {
    name: 'fetch-event-source',
    version: () => versionOf('@microsoft/fetch-event-source'),
    auth: 'header',
    listen: async () => (await import('./readers/fetch-event-source.ts')).listen,
    note: 'of `@microsoft`, in Node; comes back by itself, after an orderly end because `onclose` throws',
  },
  {
    name: 'hey-api',
    version: () => versionOf('@hey-api/openapi-ts'),
    auth: 'header',
    listen: async () => (await import('./readers/hey-api.ts')).listen,
    note: 'the generated `openStream`; comes back after a fault, not after an orderly end: a loop does',
  },
  {
    name: 'redocly',
    version: () => versionOf('@redocly/cli'),
    auth: 'header',
    listen: async () => (await import('./readers/redocly.ts')).listen,
    note: 'the generated `openStream`; comes back after a fault, not after an orderly end or a 503: a loop does',
  },
  {
    name: 'Chromium, its own EventSource',
    version: () => commandVersion(CHROMIUM),
    auth: 'ticket',
    note: '`test/web/event-source.test.ts`',
  },
  {
    name: 'Python, its standard library',
    version: () => commandVersion('python3'),
    auth: 'header',
    note: '`test/examples.test.ts`: `examples/listen.py`',
  },
];
