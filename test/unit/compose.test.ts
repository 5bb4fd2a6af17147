/** The compose files are consistent: whatever a service refers to exists. Only CI starts one of them, with Docker. */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { SETTINGS } from '../../src/settings.ts';

const ROOT = new URL('../..', import.meta.url).pathname;

type Service = {
  image?: string;
  build?: string;
  command?: string | string[];
  depends_on?: Record<string, { condition: string }>;
  environment?: Record<string, string>;
  healthcheck?: { test: string[] };
  networks?: string[] | Record<string, { ipv4_address?: string }>;
  ports?: string[];
  volumes?: string[];
};
type Compose = {
  services: Record<string, Service>;
  networks?: Record<string, { ipam?: { config: { subnet: string }[] } } | null>;
  volumes?: Record<string, null>;
};

/** The keys that the files use, of those in the Compose Specification. Another one is most likely misspelt. */
const SERVICE_KEYS = [
  ...[
    'image',
    'build',
    'command',
    'depends_on',
    'environment',
    'healthcheck',
    'networks',
    'ports',
    'volumes',
  ],
  ...['init', 'read_only', 'cap_drop', 'security_opt', 'stop_grace_period', 'restart'],
];
/** What each condition of `depends_on` requires of the other service. */
const CONDITIONS: Record<string, (service: Service) => boolean> = {
  service_healthy: ({ healthcheck }) => healthcheck !== undefined,
  service_completed_successfully: (service) => !('restart' in service),
};

const addressesOf = ({ networks }: Service): string[] =>
  Array.isArray(networks) ? [] : Object.values(networks ?? {}).flatMap((each) => each?.ipv4_address ?? []);
const namesOf = (networks: Service['networks']): string[] =>
  Array.isArray(networks) ? networks : Object.keys(networks ?? {});

/** Everything that is wrong with a compose file in this folder. */
function mistakesIn(text: string, folder: string): string[] {
  const { services, networks = {}, volumes = {} }: Compose = parse(text, { merge: true });
  const found: string[] = [];
  const require = (isTrue: boolean, mistake: string): void => void (isTrue || found.push(mistake));
  for (const [name, service] of Object.entries(services)) {
    for (const key of Object.keys(service))
      require(SERVICE_KEYS.includes(key), `${name}: unknown key ${key}`);
    const { image, build, environment = {} } = service;
    require(build === undefined
      ? /^[\w./-]+:[\w.-]+$/.test(image ?? '')
      : existsSync(
          join(folder, build, 'Dockerfile'),
        ), `${name}: neither an image with a tag nor a folder with a Dockerfile`);
    for (const [other, { condition }] of Object.entries(service.depends_on ?? {}))
      require(services[other] !== undefined &&
        CONDITIONS[condition]?.(services[other]) === true, `${name}: ${other} cannot become ${condition}`);
    for (const setting of build ? Object.keys(environment) : [])
      require(setting in SETTINGS, `${name}: no setting ${setting}`);
    for (const volume of service.volumes ?? [])
      require(volume.split(':')[0]! in volumes, `${name}: no volume ${volume}`);
    for (const network of namesOf(service.networks))
      require(network in networks, `${name}: no network ${network}`);
    for (const port of service.ports ?? [])
      require(/^127\.0\.0\.1:\d+:\d+$/.test(port), `${name}: port ${port} is open to other machines`);
  }
  const addresses = Object.values(services).flatMap(addressesOf);
  require(new Set(addresses).size === addresses.length, 'an address is used twice');
  const prefixes = Object.values(networks)
    .flatMap((each) => each?.ipam?.config ?? [])
    .map(({ subnet }) => subnet.replace(/\.0\/24$/, '.'));
  for (const address of text.match(/\b\d+\.\d+\.\d+\.\d+\b(?!\/)/g) ?? [])
    require(/^127\./.test(address) ||
      (prefixes.some((prefix) => address.startsWith(prefix)) &&
        addresses.includes(address)), `no service has the address ${address}`);
  const used = Object.values(services).flatMap((service) =>
    (service.volumes ?? []).map((each) => each.split(':')[0]!),
  );
  require(new Set(used).size === used.length, 'two services share a volume');
  for (const volume of Object.keys(volumes)) require(used.includes(volume), `volume ${volume} is not used`);
  return found;
}

const read = (file: string): string => readFileSync(join(ROOT, file), 'utf8');
const FILES = ['compose.yaml', 'docs/deploy/compose.cluster.yaml'];

test.each(FILES)('%s refers only to what exists', (file) => {
  expect(mistakesIn(read(file), dirname(join(ROOT, file)))).toEqual([]);
});

test('the cluster has three primaries with a replica each, and Parley is given addresses of it', () => {
  const { services }: Compose = parse(read('docs/deploy/compose.cluster.yaml'), { merge: true });
  const servers = Object.entries(services).filter(([name]) => /^redis-\d$/.test(name));
  expect(servers).toHaveLength(6);
  const addresses = servers.flatMap(([, service]) => addressesOf(service)).map((each) => `${each}:6379`);
  expect(
    String(services['form-cluster']!.command).match(/[\d.]+:6379(?=[\s\\]+\d|\s--cluster-replicas 1)/g),
  ).toEqual(addresses);
  const url = services['parley']!.environment!['REDIS_URL']!;
  expect(url).toMatch(/^redis\+cluster:\/\//);
  for (const each of url.replace('redis+cluster://', '').split(',')) expect(addresses).toContain(each);
});

describe('a mistake is found', () => {
  const cluster = read('docs/deploy/compose.cluster.yaml');
  const folder = join(ROOT, 'docs/deploy');

  test.each([
    [
      'a service that depends on nothing known',
      'redis-6: { condition',
      'redis-7: { condition',
      'redis-7 cannot become service_healthy',
    ],
    [
      'a dependency on the health of a service without a check',
      '  healthcheck:\n    test: [CMD, redis-cli, ping]\n    interval: 5s\n    timeout: 3s\n',
      '',
      'redis-1 cannot become service_healthy',
    ],
    ['a misspelt key', 'read_only: true', 'readonly: true', 'unknown key readonly'],
    ['an unknown setting', 'REDIS_URL:', 'REDIS_URI:', 'no setting REDIS_URI'],
    [
      'an undeclared volume',
      "volumes: ['redis-6:/data']",
      "volumes: ['redis-7:/data']",
      'no volume redis-7:/data',
    ],
    [
      'an address that no server has',
      'redis+cluster://172.30.7.11',
      'redis+cluster://172.30.7.21',
      'no service has the address 172.30.7.21',
    ],
    [
      'a port that is open to other machines',
      '127.0.0.1:3000:3000',
      '3000:3000',
      'port 3000:3000 is open to other machines',
    ],
    ['an image without a version', ':7.4-bookworm', '', 'neither an image with a tag'],
    ['a folder without a Dockerfile', 'build: ../..', 'build: .', 'neither an image with a tag'],
  ])('%s', (_, from, to, mistake) => {
    expect(cluster).toContain(from);
    expect(mistakesIn(cluster.replaceAll(from, to), folder).join('\n')).toContain(mistake);
  });
});
