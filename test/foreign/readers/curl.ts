import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Listen } from './reader.ts';

/** curl does not reconnect: a loop restarts it with the last id from its output, as in the README. */
export const listen: Listen = async ({ url, token, signal, onEvent }) => {
  let lastId = '';
  while (!signal.aborted) {
    const resume = lastId ? ['-H', `Last-Event-ID: ${lastId}`] : [];
    const args = ['-sN', `${url}/v1/events`, '-H', `Authorization: Bearer ${token}`, ...resume];
    const curl = spawn('curl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const stop = () => curl.kill();
    process.on('exit', stop);
    signal.addEventListener('abort', stop);
    const closed = once(curl, 'close');
    let frame: string[] = [];
    for await (const line of createInterface(curl.stdout)) {
      frame.push(line);
      if (line !== '') continue;
      // Process only complete events: a connection may break in the middle of a line.
      const field = (name: string) =>
        frame.find((each) => each.startsWith(`${name}: `))?.slice(name.length + 2);
      const [data, id] = [field('data'), field('id')];
      if (data) onEvent(JSON.parse(data));
      lastId = id ?? lastId;
      frame = [];
    }
    await closed;
    process.off('exit', stop);
    signal.removeEventListener('abort', stop);
    await sleep(200);
  }
};
