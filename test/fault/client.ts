/** A plain HTTP client that sends each request to a random node, like a load balancer. */
import http from 'node:http';
import type { Kind } from './history.ts';
import type { Random } from './random.ts';

/** The fields of response bodies that the runs read. */
export type Body = {
  accessToken: string;
  refreshToken: string;
  id: string;
  seq: number;
  messages: { id: string; kind: Kind; from: string; to?: string; seq: number; text: string }[];
  hasMore: boolean;
  unread: number;
  conversations: { with: string }[];
  users: { username: string }[];
  nextCursor: string | null;
};
/** Status 0: no response. A body is only read after a status that promises one. */
export type Response = { status: number; body: Body };
/** Stands for a request without a response. */
export const NO_RESPONSE: Response = { status: 0, body: {} as Body };
export type Target = { url: string; isUp(): boolean };

export type CallRecord = { url: string; what: string; atMs: number; tookMs: number; status: number };

/** Client timeout; Parley guarantees a response within 5 s. */
export const GIVE_UP_MS = 8_000;

const agent = new http.Agent({ keepAlive: true, maxSockets: 256 });

export type Client = ReturnType<typeof createClient>;

/** `onCall` receives every call, also those without a response (status 0). */
export function createClient(settings: {
  targets: Target[];
  random: Random;
  onCall: (call: CallRecord) => void;
}) {
  const { targets, random, onCall } = settings;

  /** Like a load balancer, skips nodes that do not listen. */
  function target(): string {
    const available = targets.filter((each) => each.isUp());
    return random.pick(available.length > 0 ? available : targets).url;
  }

  /** Rejects if there is no response; the outcome is then unknown. */
  async function request(
    method: string,
    path: string,
    options: { token?: string; key?: string; body?: unknown; url?: string } = {},
  ): Promise<Response> {
    const url = options.url ?? target();
    const atMs = performance.now();
    let status = 0;
    try {
      const response = await exchange(url, method, path, options);
      status = response.status;
      return response;
    } finally {
      onCall({ url, what: `${method} ${path}`, atMs, tookMs: performance.now() - atMs, status });
    }
  }

  return { request, target, onCall };
}

function exchange(
  url: string,
  method: string,
  path: string,
  { token, key, body }: { token?: string; key?: string; body?: unknown },
): Promise<Response> {
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
    const timeout = setTimeout(() => request.destroy(new Error('timeout')), GIVE_UP_MS);
    request.on('close', () => clearTimeout(timeout));
    request.on('error', reject);
    request.on('response', async (response) => {
      try {
        const text = (await response.setEncoding('utf8').toArray()).join('');
        resolve({ status: response.statusCode ?? 0, body: text ? JSON.parse(text) : NO_RESPONSE.body });
      } catch (error) {
        reject(error);
      }
    });
    request.end(json);
  });
}
