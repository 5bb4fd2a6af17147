/** The attacking process: `attacker.ts NAME BASE-URL SECONDS`, with the seed as JSON on standard input. */
import { text } from 'node:stream/consumers';
import { attackOf } from './attacks.ts';
import { createClient } from './client.ts';

const [name = '', base = '', seconds = '5'] = process.argv.slice(2);
if (!/^http:\/\/127\.0\.0\.1:\d+$/.test(base)) throw new Error('the target must be a loopback URL');
const attack = attackOf(name);
if (!attack) throw new Error(`unknown attack ${name}`);
const seed = JSON.parse(await text(process.stdin));
const endsAt = performance.now() + Number(seconds) * 1_000;
const summary = await attack.run({
  base,
  seed,
  client: (network = 1, maxSockets = 1_000) => createClient(base, `127.0.2.${network}`, maxSockets),
  isOver: () => performance.now() > endsAt,
});
process.stdout.write(`${summary}\n`, () => process.exit(0));
