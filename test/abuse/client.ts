/** HTTP as attackers and bystanders use it: from a loopback address of their own, so that they are different networks. */
import http from 'node:http';
import net from 'node:net';

export type Answer = {
  /** The status, or the error code of a request that got none. */
  status: number | string;
  // biome-ignore lint/suspicious/noExplicitAny: callers look into bodies freely
  body: any;
  ms: number;
  headers: http.IncomingHttpHeaders;
};
export type Client = ReturnType<typeof createClient>;

const PATIENCE_MS = 15_000;

export function createClient(base: string, localAddress: string, maxSockets = 64) {
  const { hostname, port } = new URL(base);
  const agent = new http.Agent({ keepAlive: true, maxSockets });

  function call(
    method: string,
    path: string,
    given: { token?: string | undefined; body?: object | string; headers?: Record<string, string> } = {},
  ): Promise<Answer> {
    const { token, body } = given;
    const bytes =
      body === undefined ? undefined : Buffer.from(typeof body === 'string' ? body : JSON.stringify(body));
    const headers = {
      ...(bytes && { 'Content-Type': 'application/json', 'Content-Length': bytes.length }),
      ...(token && { Authorization: `Bearer ${token}` }),
      ...given.headers,
    };
    const startedAt = performance.now();
    return new Promise((resolve) => {
      const failed = (code: string) =>
        resolve({ status: code, body: undefined, ms: performance.now() - startedAt, headers: {} });
      const request = http.request({ hostname, port, method, path, agent, headers, localAddress });
      request.setTimeout(PATIENCE_MS, () => request.destroy(new Error('no answer')));
      request.on('error', (error: NodeJS.ErrnoException) => failed(error.code ?? error.message));
      request.on('response', (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', () => failed('cut'));
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

  /** A bare connection; its errors are ignored. */
  function connect(): net.Socket {
    return net.connect({ port: Number(port), host: hostname, localAddress }).on('error', () => {});
  }

  /** The bytes of a request; `times` of them can be written at once (pipelining). */
  function bytesOf(path: string, token: string, times = 1): string {
    return `GET ${path} HTTP/1.1\r\nHost: ${hostname}\r\nAuthorization: Bearer ${token}\r\n\r\n`.repeat(
      times,
    );
  }

  return { call, connect, bytesOf, close: () => agent.destroy() };
}

function parse(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString());
  } catch {
    return undefined;
  }
}
