/**
 * socket.io behind Express, as in the documentation of its Redis adapters; ADAPTER is `streams` or `pubsub`. Sockets
 * authenticate in the handshake and join a room of their user. Sends are POST requests, as with Parley. It stores nothing: no
 * history, no mailbox; the streams adapter uses a Redis stream only to connect its servers.
 */
import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';
import { createAdapter as createPubSubAdapter } from '@socket.io/redis-adapter';
import { createAdapter as createStreamsAdapter } from '@socket.io/redis-streams-adapter';
import express from 'express';
import { Redis } from 'ioredis';
import { Server } from 'socket.io';
import { authenticated, usernameOf } from './auth.mjs';

const redis = new Redis(process.env.REDIS_URL);
const adapter =
  process.env.ADAPTER === 'streams'
    ? createStreamsAdapter(redis)
    : createPubSubAdapter(redis, redis.duplicate());

const app = express();
const server = createServer(app);
const io = new Server(server, { adapter });
// Its page on memory usage recommends dropping the reference to the first request of each connection.
io.engine.on('connection', (rawSocket) => {
  rawSocket.request = null;
});

const roomOf = (username) => `user:${username}`;

io.use((socket, next) => {
  try {
    socket.data.username = usernameOf(socket.handshake.auth.token);
    next();
  } catch (error) {
    next(error);
  }
});
io.on('connection', (socket) => {
  socket.join(roomOf(socket.data.username));
});

app.use(express.json());
app.use(authenticated);

const messageOf = (req, to) => ({
  id: randomUUID(),
  from: req.username,
  to,
  text: req.body.text,
  sentAt: new Date().toISOString(),
});

app.post('/v1/broadcasts', (req, res) => {
  const message = messageOf(req);
  io.emit('message', message);
  res.status(201).json(message);
});
app.post('/v1/dm/:username', (req, res) => {
  const message = messageOf(req, req.params.username);
  io.to(roomOf(message.to)).emit('message', message);
  res.status(201).json(message);
});

server.listen(0, '127.0.0.1', () => process.stdout.write(`listens on ${server.address().port}\n`));
