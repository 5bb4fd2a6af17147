/** better-sse with Express: one channel for all sessions, as in its guide. It stores nothing and runs in one process. */
import { randomUUID } from 'node:crypto';
import { createChannel, createSession } from 'better-sse';
import express from 'express';
import { authenticated } from './auth.mjs';

const everybody = createChannel();
const app = express();
app.use(express.json());
app.use(authenticated);

app.get('/v1/events', async (req, res) => {
  const session = await createSession(req, res);
  everybody.register(session);
  // Tells the load generator that this stream receives everything from now on.
  session.push({ username: req.username }, 'ready');
});

app.post('/v1/broadcasts', (req, res) => {
  const message = {
    id: randomUUID(),
    from: req.username,
    text: req.body.text,
    sentAt: new Date().toISOString(),
  };
  everybody.broadcast(message, 'message');
  res.status(201).json(message);
});

const server = app.listen(0, '127.0.0.1', () =>
  process.stdout.write(`listens on ${server.address().port}\n`),
);
