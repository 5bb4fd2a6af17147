/**
 * A chat as in a typical tutorial: Express, a JWT, a Redis list, and a loop that writes to every open response. One process;
 * messages are pushed and never resumed. JWT_KEY=once creates the key object once, which avoids the cost of a string key in
 * jsonwebtoken.
 */
import { randomUUID } from 'node:crypto';
import express from 'express';
import { Redis } from 'ioredis';
import jwt from 'jsonwebtoken';
import { authenticated } from './auth.mjs';

const redis = new Redis(process.env.REDIS_URL);
const app = express();
app.use(express.json());
app.use(process.env.JWT_KEY === 'once' ? authenticated : auth);

function auth(req, res, next) {
  const token = req.headers.authorization?.split(' ')[1];
  if (!token) return res.status(401).json({ error: 'no token' });
  try {
    req.username = jwt.verify(token, process.env.JWT_SECRET).sub;
    next();
  } catch {
    res.status(401).json({ error: 'bad token' });
  }
}

/** username → open responses */
const clients = new Map();

app.get('/v1/events', (req, res) => {
  res.set({ 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-cache', Connection: 'keep-alive' });
  res.write('event: ready\ndata: {}\n\n');
  const responses = clients.get(req.username) ?? new Set();
  clients.set(req.username, responses.add(res));
  req.on('close', () => responses.delete(res));
});

app.post('/v1/broadcasts', async (req, res) => {
  const message = { id: randomUUID(), from: req.username, text: req.body.text, sentAt: new Date() };
  await redis.lpush('tutorial:messages', JSON.stringify(message));
  for (const responses of clients.values()) {
    for (const response of responses) response.write(`data: ${JSON.stringify(message)}\n\n`);
  }
  res.status(201).json(message);
});

app.post('/v1/dm/:username', async (req, res) => {
  const to = req.params.username;
  const message = { id: randomUUID(), from: req.username, to, text: req.body.text, sentAt: new Date() };
  const conversation = [req.username, to].sort().join(':');
  await redis.lpush(`tutorial:messages:${conversation}`, JSON.stringify(message));
  for (const response of clients.get(to) ?? []) response.write(`data: ${JSON.stringify(message)}\n\n`);
  res.status(201).json(message);
});

const server = app.listen(0, '127.0.0.1', () =>
  process.stdout.write(`listens on ${server.address().port}\n`),
);
