// One thread for password checks (password-threads.ts). Plain JavaScript: node starts it from src as well as from dist.
import { setPriority } from 'node:os';
import { parentPort } from 'node:worker_threads';
import bcrypt from 'bcrypt';

/** Of 0 to 19: who is busy beside it goes first, and yet it gets a quarter of a core that is wanted all the time. */
const PRIORITY = 5;

// On Linux this is the priority of the calling thread alone; elsewhere it would be that of the whole server.
if (process.platform === 'linux') setPriority(0, PRIORITY);

parentPort.on('message', ({ password, hash, cost }) => {
  parentPort.postMessage(hash ? bcrypt.compareSync(password, hash) : bcrypt.hashSync(password, cost));
});
