/** All ways to start the server bound the young generation, which decides how much memory a node keeps (decision 030). */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const FLAGS = '--max-semi-space-size=16';

test.each([
  ['package.json', /"start": "[^"]*exec node (.*) dist\/main\.js"/],
  ['Dockerfile', /^CMD \["node", "(.*)", "dist\/main\.js"\]$/m],
  ['deploy/parley.service', /^ExecStart=\S+ node (.*) \S+\/dist\/main\.js$/m],
  ['docs/how-to/run-in-production.md', /^PORT=3000 node (.*) dist\/main\.js &$/m],
  ['bench/servers.ts', /START_FLAGS = \['(.*)'\]/],
])('%s starts Node with the same flags', (file, command) => {
  const text = readFileSync(new URL(`../../${file}`, import.meta.url), 'utf8');
  expect(command.exec(text)?.[1]).toBe(FLAGS);
});
