/** The reverse proxies of the distribution, with a recipe of docs/deploy. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { until } from './app.ts';
import { freePort } from './ports.ts';

const PATH = `${process.env['PATH']}:/usr/sbin`;

/** The text of a file in docs/deploy. */
export const recipe = (file: string): string =>
  readFileSync(new URL(`../../docs/deploy/${file}`, import.meta.url), 'utf8');

/**
 * Whether a proxy is on this machine. If it is not, that is reported loudly.
 * @throws Error on CI if it is not
 */
export function isProxyInstalled(command: string): boolean {
  const isPresent = spawnSync('which', [command], { env: { PATH } }).status === 0;
  if (isPresent) return true;
  if (process.env['CI']) throw new Error(`CI must test the recipes: install ${command}`);
  process.stderr.write(`\n*** SKIPPED: ${command} is not installed, so its recipe was not tested. ***\n\n`);
  return false;
}

export type ProxyCommand = {
  command: string;
  /** The arguments that make it run in the foreground with this configuration file. */
  args: (config: string) => string[];
};

export const NGINX: ProxyCommand = {
  command: 'nginx',
  args: (config) => ['-c', config, '-e', `${config}.errors`],
};
export const HAPROXY: ProxyCommand = { command: 'haproxy', args: (config) => ['-db', '-f', config] };

/** The directives of nginx' http block that keep all of its temporary files in a folder. */
export const nginxFolders = (folder: string): string =>
  ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
    .map((each) => `${each}_temp_path ${folder}/${each};`)
    .join(' ');

/**
 * Starts a proxy that stops when the test ends, and waits until it passes requests on to Parley.
 * @param configure returns the configuration, for a folder of its own and the port on which it has to listen
 * @returns its URL
 * @throws Error with its output if Parley does not respond through it within 10 s
 */
export async function startReverseProxy(
  { command, args }: ProxyCommand,
  configure: (folder: string, port: number) => string,
): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-proxy-'));
  chmodSync(folder, 0o777); // the workers of nginx and Apache run as another user
  const port = await freePort();
  const config = join(folder, 'config');
  writeFileSync(config, configure(folder, port));
  const env = { PATH, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder };
  const child = spawn(command, args(config), { env, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding('utf8').on('data', (text) => (output += text));
  const exited = once(child, 'exit');
  onTestFinished(async () => {
    child.kill('SIGTERM');
    const kill = setTimeout(() => child.kill('SIGKILL'), 3_000);
    await exited;
    clearTimeout(kill);
    rmSync(folder, { recursive: true, force: true });
  });
  const url = `http://127.0.0.1:${port}`;
  const responds = () =>
    fetch(`${url}/livez`).then(
      ({ status }) => [200, 421].includes(status), // from Parley, not from a proxy that has no upstream yet
      () => false,
    );
  await until(`${command} responds`, responds, 10_000).catch((error: Error) => {
    throw new Error(`${error.message}\n${output}`);
  });
  return url;
}
