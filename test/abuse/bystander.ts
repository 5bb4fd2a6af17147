/** Users who make ordinary requests during an attack: measures their latency and their failed requests. */
import { setTimeout as sleep } from 'node:timers/promises';
import { quantile } from '../../bench/stats.ts';
import { type Client, createClient } from './client.ts';
import type { Person } from './stage.ts';

/**
 * About 500 calls in a run of 6 s, so that a few calls delayed by the machine itself do not decide the p99. One call in
 * ten is a message, which stays below the default send limit.
 */
const PAUSE_MS = 50;
const SEND_EVERY = 10;

export type Measurement = {
  calls: number;
  p50: number;
  p99: number;
  max: number;
  failed: Record<string, number>;
};

export async function watch(base: string, people: Person[], untilMs: () => number): Promise<Measurement> {
  const clients = people.map((_, index) => createClient(base, `127.0.1.${index + 1}`));
  const ms: number[] = [];
  const failed: Record<string, number> = {};
  await Promise.all(
    people.map(async (person, index) => {
      await sleep((PAUSE_MS / people.length) * index);
      for (let round = 0; performance.now() < untilMs(); round += 1) {
        const answer = await actOf(clients[index]!, person, round);
        ms.push(answer.ms);
        if (typeof answer.status === 'string' || answer.status >= 400)
          failed[answer.status] = (failed[answer.status] ?? 0) + 1;
        await sleep(PAUSE_MS);
      }
    }),
  );
  for (const client of clients) client.close();
  const rounded = (value: number) => Math.round(value * 10) / 10;
  return {
    calls: ms.length,
    p50: rounded(quantile(ms, 0.5)),
    p99: rounded(quantile(ms, 0.99)),
    max: rounded(Math.max(...ms)),
    failed,
  };
}

function actOf(client: Client, { username, token }: Person, round: number) {
  return round % SEND_EVERY === 0
    ? client.call('POST', `/v1/dm/${username}`, { token, body: { text: `note ${round}` } })
    : client.call('GET', '/v1/me', { token });
}
