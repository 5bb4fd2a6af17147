// Says back whatever it is told, privately. In a clone: npm run build && node examples/echo-bot.js [URL]
import { createParley } from 'parley/client';

const parley = createParley({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:3000' });
const who = { username: 'echo', password: process.env.PARLEY_PASSWORD ?? 'correct horse battery' };
await parley.register(who); // after the first time the account is there already
const { problem } = await parley.login(who);
if (problem) throw new Error(problem.detail);
for await (const event of parley.events()) {
  if (event.kind !== 'dm' || event.from === who.username) continue;
  // The message's own id as the key: one that comes twice is answered once.
  await parley.sendDirect(event.from, event.text, { idempotencyKey: event.id });
}
