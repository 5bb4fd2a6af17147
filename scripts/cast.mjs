// Draws the picture of the README: two people use Parley with curl. Starts the built server, types the commands into two
// real shells in tmux, and writes their screens as an SVG: npm run build && node scripts/cast.mjs [FILE]
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('..', import.meta.url));
const file = process.argv[2] ?? join(ROOT, 'docs/assets/curl.svg');
const scratch = mkdtempSync(join(tmpdir(), 'parley-cast-'));
const COLUMNS = 112;
const ROWS = 24;
const WITHIN_MS = 30_000;

const BOB = ['curl -N $api/events --oauth2-bearer $bob'];
const ALICE = [
  "curl -w '\\n' $api/broadcasts --oauth2-bearer $alice -H 'Content-Type: text/plain' -d 'Good morning!'",
  "curl -w '\\n' $api/dm/bob --oauth2-bearer $alice -H 'Content-Type: text/plain' -d 'Lunch at noon?'",
];

/** On the built-in Valkey, so that the picture does not depend on the machine. */
async function startServer() {
  const child = spawn(process.execPath, [join(ROOT, 'dist/main.js')], {
    cwd: scratch,
    env: { PATH: '/nowhere', PORT: '0', LOG_LEVEL: 'warn' },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  for await (const line of createInterface(child.stdout)) {
    const url = /Parley listens on (\S+)/.exec(line)?.[1];
    if (url) return { child, api: `${url}/v1` };
  }
  throw new Error('the server exited: run npm run build first');
}

async function tokenOf(api, username) {
  const response = await fetch(`${api}/register`, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ username, password: 'correct horse battery', login: true }),
  });
  return (await response.json()).login.accessToken;
}

/** A tmux server of its own. */
function tmux(...args) {
  const env = { PATH: process.env.PATH, HOME: scratch, TERM: 'xterm-256color', LC_ALL: 'C.UTF-8' };
  return execFileSync('tmux', ['-S', join(scratch, 'tmux'), '-f', '/dev/null', ...args], {
    encoding: 'utf8',
    env,
  });
}

function openShell(name, variables) {
  const env = Object.entries({ ...variables, PS1: '$ ', HISTFILE: '' }).map(
    ([key, value]) => `${key}=${value}`,
  );
  const size = ['-x', String(COLUMNS), '-y', String(ROWS)];
  tmux('new-session', '-d', '-s', name, ...size, 'env', ...env, 'bash', '--norc', '--noprofile');
  const screen = () => tmux('capture-pane', '-p', '-t', name).trimEnd().split('\n');
  return {
    screen,
    async run(command, expected) {
      tmux('send-keys', '-t', name, '-l', command);
      tmux('send-keys', '-t', name, 'Enter');
      const deadline = Date.now() + WITHIN_MS;
      while (!expected.test(screen().join('\n'))) {
        if (Date.now() > deadline)
          throw new Error(`${name} does not show ${expected}:\n${screen().join('\n')}`);
        await sleep(50);
      }
    },
  };
}

async function converse({ api }) {
  const [alice, bob] = [await tokenOf(api, 'alice'), await tokenOf(api, 'bob')];
  const shells = { bob: openShell('bob', { api, bob }), alice: openShell('alice', { api, alice }) };
  await shells.bob.run(BOB[0], /id: \S+\n\n/);
  await shells.alice.run(ALICE[0], /morning.*"seq":\s*1\}/s);
  await shells.alice.run(ALICE[1], /Lunch at.*"seq":\s*1\}/s);
  await shells.bob.run('', /event: dm[\s\S]*"seq":\s*1\}/);
  return [
    { title: 'bob', lines: shells.bob.screen() },
    { title: 'alice', lines: shells.alice.screen() },
  ];
}

const [CHARACTER, LINE, PADDING, BAR, GAP] = [8.43, 18, 14, 28, 14];
const STYLE = `
  text { font: 14px ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; fill: #c9d1d9; white-space: pre }
  .window { fill: #0d1117; stroke: #6e7681 } .title { fill: #8b949e; text-anchor: middle }
  .command { fill: #ffffff; font-weight: 600 } .prompt { fill: #7ee787 } .field { fill: #79c0ff } .message { fill: #ffa657 }
`;
const escapeXml = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
const span = (name, text) => `<tspan class="${name}">${text}</tspan>`;

function styled(line) {
  const text = escapeXml(line);
  if (text.startsWith('$ ')) return `${span('prompt', '$')} ${span('command', text.slice(2))}`;
  return text
    .replace(/^(event|id|data|retry):/, (field) => span('field', field))
    .replace(/(?<="text":)"[^"]*"/, (message) => span('message', message));
}

function draw(windows) {
  const width = Math.ceil(COLUMNS * CHARACTER + 2 * PADDING);
  let y = 1;
  const drawn = windows.map(({ title, lines }) => {
    const height = BAR + lines.length * LINE + PADDING;
    const rows = lines.map((line, index) => {
      const baseline = y + BAR + (index + 1) * LINE - 4;
      return `<text x="${PADDING}" y="${baseline}" xml:space="preserve">${styled(line)}</text>`;
    });
    const frame = `<rect class="window" x="0.5" y="${y}" width="${width - 1}" height="${height}" rx="8"/>`;
    const label = `<text class="title" x="${width / 2}" y="${y + 20}">${title}</text>`;
    y += height + GAP;
    return [frame, label, ...rows].join('\n');
  });
  const size = `width="${width}" height="${y - GAP + 1}" viewBox="0 0 ${width} ${y - GAP + 1}"`;
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">
<title>Alice sends two messages with curl; bob's event stream, also curl, shows them.</title>
<style>${STYLE}</style>
${drawn.join('\n')}
</svg>
`;
}

const server = await startServer();
try {
  writeFileSync(file, draw(await converse(server)));
} finally {
  try {
    tmux('kill-server');
  } catch {} // it has not started
  server.child.kill('SIGTERM');
  rmSync(scratch, { recursive: true, force: true });
}
