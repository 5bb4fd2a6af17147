/** The HTTP client of attackers and bystanders. Each uses its own loopback address, which the server sees as a separate network. */
import http from 'node:http';
import net from 'node:net';

/** The fields of response bodies that the attacks read. */
type Body = {
  accessToken: string;
  refreshToken: string;
  deviceToken?: string;
  messages: { id: string; text: string }[];
  hasMore: boolean;
};

export type Response = {
  /** The status, or the error code of a request without a response. */
  status: number | string;
  body: Body;
  ms: number;
  headers: http.IncomingHttpHeaders;
};
export type Client = ReturnType<typeof createClient>;

/** Stands for a body that is missing or not JSON. */
const NO_BODY: Body = { accessToken: '', refreshToken: '', messages: [], hasMore: false };

const TIMEOUT_MS = 15_000;

export function createClient(base: string, localAddress: string, maxSockets = 64) {
  const { hostname, port } = new URL(base);
  const agent = new http.Agent({ keepAlive: true, maxSockets });

  function call(
    method: string,
    path: string,
    options: { token?: string | undefined; body?: object | string; headers?: Record<string, string> } = {},
  ): Promise<Response> {
    const { token, body } = options;
    const bytes =
      body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const headers = {
      ...(bytes && { 'Content-Type': 'application/json', 'Content-Length': bytes.length }),
      ...(token && { Authorization: `Bearer ${token}` }),
      ...options.headers,
    };
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const fail = (code: string) =>
        resolve({ status: code, body: NO_BODY, ms: performance.now() - startedAt, headers: {} });
      const request = http.request({ hostname, port, method, path, agent, headers, localAddress });
      request.setTimeout(TIMEOUT_MS, () => request.destroy(new Error('timeout')));
      request.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => fail('aborted'));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            body: parse(Buffer.concat(chunks)),
            ms: performance.now() - startedAt,
            headers: response.headers,
          }),
        );
      });
      request.end(bytes);
    });
  }

  /** A raw connection; its errors are ignored. */
  function connect(): net.Socket {
    return net.connect({ port: Number(port), host: hostname, localAddress }).on('error', () => {});
  }

  /** The bytes of a GET request, repeated `times` times for pipelining. */
  function bytesOf(path: string, token: string, times = 1): string {
    return `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(
      times,
    );
  }

  return { call, connect, bytesOf, close: () => agent.destroy() };
}

function parse(bytes: Buffer): Body {
  try {
    return JSON.parse(bytes.toString()) ?? NO_BODY;
  } catch {
    return NO_BODY;
  }
}
