/** Reads the body of a request as JSON in UTF-8, up to 64 KiB. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { Problem } from '../chat/problems.ts';
import { isJsonInUtf8 } from './media-type.ts';

const LIMIT_BYTES = 64 * 1_024;
/** Some editors put it in front of UTF-8; a parser may ignore it (RFC 8259, section 8.1). */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** 64 KiB of JSON can block the event loop for milliseconds, so bodies larger than this are parsed one per turn. */
const LARGE_BYTES = 8 * 1_024;

const tooLarge = () => new Problem('body_too_large', 'The body must not be larger than 64 KiB.');

/** Returns undefined for a request without a body; throws a problem for a body that is not acceptable. */
export async function readJson(
  req: IncomingMessage,
  meter: { chargeBody(bytes: number): void; refundBody(bytes: number): void },
): Promise<unknown> {
  const { 'content-length': length, 'content-type': type = '', 'content-encoding': encoding } = req.headers;
  const isChunked = req.headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || length === '0')) return undefined;
  if (!isJsonInUtf8(type) || (encoding && encoding.toLowerCase() !== 'identity')) {
    throw new Problem(
      'unsupported_media_type',
      'The body is not uncompressed JSON. Send it as application/json in UTF-8, without Content-Encoding.',
    );
  }
  if (Number(length) > LIMIT_BYTES) throw tooLarge(); // without waiting for the body
  if (!isChunked) meter.chargeBody(Number(length)); // charged in advance, so that concurrent uploads all count
  const bytes = await readBytes(req, (size) => meter.refundBody(size));
  if (isChunked) meter.chargeBody(bytes.length);
  if (bytes.length === 0) return undefined;
  if (bytes.length > LARGE_BYTES) await ownTurn();
  if (!isUtf8(bytes)) throw new Problem('malformed_json', 'The body is not valid UTF-8.');
  try {
    const hasMark = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte);
    return JSON.parse(bytes.toString('utf8', hasMark ? BYTE_ORDER_MARK.length : 0));
  } catch {
    throw new Problem('malformed_json', 'The body is not valid JSON.');
  }
}

const waiting: (() => void)[] = [];

/** Resolves once per turn of the event loop, so that small requests are served between two large bodies. */
function ownTurn(): Promise<void> {
  return new Promise((resolve) => {
    waiting.push(resolve);
    if (waiting.length === 1) setImmediate(nextTurn);
  });
}

function nextTurn(): void {
  waiting.shift()?.();
  if (waiting.length > 0) setImmediate(nextTurn);
}

function readBytes(req: IncomingMessage, refundBody: (size: number) => void): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let size = 0;
    req.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size > LIMIT_BYTES) reject(tooLarge());
      else chunks.push(chunk);
    });
    req.on('end', () => resolve(chunks.length === 1 ? chunks[0]! : Buffer.concat(chunks)));
    req.on('close', () => {
      if (req.complete) return;
      refundBody(size);
      reject(new Problem('malformed_json', 'The connection closed before the whole body arrived.'));
    });
  });
}
