// Replies to every direct message with the same text. Set PARLEY_PASSWORD. In a clone: npm run build -w @parley-chat/client && node examples/echo-bot.js [URL]
import { createParley } from '@parley-chat/client';

const parley = createParley({ baseUrl: process.argv[2] ?? 'http://127.0.0.1:3000' });
const { PARLEY_PASSWORD: password } = process.env;
if (!password) throw new Error('Set PARLEY_PASSWORD to a password that nobody else knows.');
const credentials = { username: 'echo', password };
await parley.register(credentials); // returns username_taken if the account exists, which is fine
const { problem } = await parley.login(credentials);
if (problem) throw new Error(problem.detail);
for await (const event of parley.events()) {
  if (event.kind !== 'dm' || event.from === credentials.username) continue;
  // With the message id as idempotency key, a message that is delivered twice gets one reply.
  await parley.sendDirect(event.from, event.text, { idempotencyKey: event.id });
}
