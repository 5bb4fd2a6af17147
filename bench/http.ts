/**
 * HTTP/1.1 for load generators: requests are prepared bytes, responses are counted but not parsed. It uses raw sockets
 * because Node's HTTP client costs more CPU than the server under test.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export function request(
  method: 'GET' | 'POST',
  path: string,
  options: { token?: string | undefined; accept?: string; body?: object | undefined },
): Buffer {
  const { token, accept = 'application/json', body } = options;
  const json = body === undefined ? '' : JSON.stringify(body);
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: 127.0.0.1', `Accept: ${accept}`];
  if (token) lines.push(`Authorization: Bearer ${token}`);
  if (body) lines.push('Content-Type: application/json', `Content-Length: ${Buffer.byteLength(json)}`);
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${json}`);
}

export async function open(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true });
  await once(socket, 'connect');
  return socket;
}

const HEAD_END = Buffer.from('\r\n\r\n');
const LENGTH = 'content-length: ';

/**
 * Calls `onResponse` with the status of each complete response, in the order of the requests. Supports only responses with
 * a Content-Length.
 */
export function countAnswers(socket: Socket, onResponse: (status: number) => void): void {
  let rest: Buffer | undefined;
  socket.on('data', (chunk: Buffer) => {
    const bytes = rest ? Buffer.concat([rest, chunk]) : chunk;
    let at = 0;
    while (at < bytes.length) {
      const headEnd = bytes.indexOf(HEAD_END, at);
      if (headEnd < 0) break;
      const head = bytes.toString('latin1', at, headEnd).toLowerCase();
      const from = head.indexOf(LENGTH);
      if (from < 0) throw new Error(`a response without Content-Length:\n${head}`);
      const next = headEnd + HEAD_END.length + Number.parseInt(head.slice(from + LENGTH.length), 10);
      if (next > bytes.length) break;
      at = next;
      onResponse(Number(head.slice(9, 12)));
    }
    rest = at < bytes.length ? bytes.subarray(at) : undefined;
  });
}
