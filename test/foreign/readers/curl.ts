import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Listen } from './reader.ts';

/** curl does not come back: a loop around it does, with the last id that stood in its output, as the README shows. */
export const listen: Listen = async ({ url, token, signal, hear }) => {
  let lastId = '';
  while (!signal.aborted) {
    const resume = lastId ? ['-H', `Last-Event-ID: ${lastId}`] : [];
    const args = ['-sN', `${url}/v1/events`, '-H', `Authorization: Bearer ${token}`, ...resume];
    const curl = spawn('curl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const stop = () => curl.kill();
    process.on('exit', stop);
    signal.addEventListener('abort', stop);
    const ended = once(curl, 'close');
    let frame: string[] = [];
    for await (const line of createInterface(curl.stdout)) {
      frame.push(line);
      if (line !== '') continue;
      // Only now: a connection may break in the middle of a line.
      const field = (name: string) =>
        frame.find((each) => each.startsWith(`${name}: `))?.slice(name.length + 2);
      const [data, id] = [field('data'), field('id')];
      if (data) hear(JSON.parse(data));
      lastId = id ?? lastId;
      frame = [];
    }
    await ended;
    process.off('exit', stop);
    signal.removeEventListener('abort', stop);
    await sleep(200);
  }
};
