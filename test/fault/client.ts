/** Plain HTTP, as any client would speak it, towards whichever node a load balancer would choose. */
import http from 'node:http';
import type { Random } from './random.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever a server answers
export type Answer = { status: number; body: any };
export type Target = { url: string; isUp(): boolean };

export type Asked = { url: string; what: string; atMs: number; tookMs: number; status: number };

/** What a caller waits for an answer; Parley promises 5 s. */
export const GIVE_UP_MS = 8_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

export type Client = ReturnType<typeof createClient>;

/** `asked` is told of every answer, and of none (status 0). */
export function createClient(options: { targets: Target[]; random: Random; asked: (asked: Asked) => void }) {
  const { targets, random, asked } = options;

  /** A balancer leaves out what does not listen. */
  function target(): string {
    const up = targets.filter((each) => each.isUp());
    return random.pick(up.length > 0 ? up : targets).url;
  }

  /** Rejects when no answer came: then nobody knows what happened. */
  async function ask(
    method: string,
    path: string,
    given: { token?: string; key?: string; body?: unknown; url?: string } = {},
  ): Promise<Answer> {
    const url = given.url ?? target();
    const atMs = performance.now();
    let status = 0;
    try {
      const answer = await exchange(url, method, path, given);
      status = answer.status;
      return answer;
    } finally {
      asked({ url, what: `${method} ${path}`, atMs, tookMs: performance.now() - atMs, status });
    }
  }

  return { ask, target, asked };
}

function exchange(
  url: string,
  method: string,
  path: string,
  { token, key, body }: { token?: string; key?: string; body?: unknown },
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const json = body === undefined ? undefined : JSON.stringify(body);
    const request = http.request(`${url}${path}`, {
      method,
      agent,
      headers: {
        ...(token !== undefined && { Authorization: `Bearer ${token}` }),
        ...(key !== undefined && { 'Idempotency-Key': key }),
        ...(json !== undefined && {
          'Content-Type': 'application/json',
          'Content-Length': Buffer.byteLength(json),
        }),
      },
    });
    const late = setTimeout(() => request.destroy(new Error('no answer in time')), GIVE_UP_MS);
    request.on('close', () => clearTimeout(late));
    request.on('error', reject);
    request.on('response', async (response) => {
      try {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({ status: response.statusCode ?? 0, body: text ? JSON.parse(text) : undefined });
      } catch (error) {
        reject(error);
      }
    });
    request.end(json);
  });
}
