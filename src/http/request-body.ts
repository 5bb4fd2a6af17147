/** Reads the body of a request, up to 64 KiB in UTF-8: JSON, or plain text where the operation takes it. */
import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import { invalid, Problem } from '../chat/problems.ts';
import { type BodyFormat, formatInUtf8 } from './media-type.ts';
import type { Route } from './openapi.ts';

const LIMIT_BYTES = 64 * 1_024;
/** Some editors put it in front of UTF-8; a parser of JSON may ignore it (RFC 8259, section 8.1). */
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** 64 KiB of JSON can block the event loop for milliseconds, so bodies larger than this are parsed one per turn. */
const LARGE_BYTES = 8 * 1_024;

type BodyAdmission = {
  chargeBody(bytes: number): void;
  refundBody(bytes: number): void;
  /** Throws if a budget is exhausted. */
  checkBudgets(): void;
};

const tooLarge = () => new Problem('body_too_large', 'The body must not be larger than 64 KiB.');

/** Returns undefined for a request without a body; throws a problem for a body that is not acceptable. */
export async function readBody(
  req: IncomingMessage,
  { acceptsText }: Pick<Route, 'acceptsText'>,
  admission: BodyAdmission,
): Promise<unknown> {
  const { 'content-length': length, 'content-type': type = '', 'content-encoding': encoding } = req.headers;
  const isChunked = req.headers['transfer-encoding'] !== undefined;
  if (!isChunked && (length === undefined || length === '0')) return undefined;
  const isCompressed = Boolean(encoding) && encoding?.toLowerCase() !== 'identity';
  const format = isCompressed ? undefined : formatInUtf8(type);
  if (format === undefined || (format === 'text' && !acceptsText)) throw unsupported(acceptsText);
  if (Number(length) > LIMIT_BYTES) throw tooLarge(); // without waiting for the body
  if (!isChunked) admission.chargeBody(Number(length)); // charged in advance, so that concurrent uploads all count
  const bytes = await readBytes(req, (size) => admission.refundBody(size));
  if (isChunked) admission.chargeBody(bytes.length);
  if (bytes.length === 0) return undefined;
  if (bytes.length > LARGE_BYTES) {
    await ownTurn();
    admission.checkBudgets(); // other requests of the client may have used them up: then its text is never parsed
  }
  return parse(bytes, format);
}

function parse(bytes: Buffer, format: BodyFormat): unknown {
  if (!isUtf8(bytes)) {
    if (format === 'text') throw invalid('', 'must be text in UTF-8');
    throw new Problem('malformed_json', 'The body is not valid UTF-8.');
  }
  const hasMark = BYTE_ORDER_MARK.every((byte, i) => bytes[i] === byte);
  const text = bytes.toString('utf8', hasMark ? BYTE_ORDER_MARK.length : 0);
  if (format === 'text') return { text: withoutFinalNewline(text) };
  try {
    return JSON.parse(text);
  } catch {
    throw new Problem('malformed_json', 'The body is not valid JSON.');
  }
}

/** Files and pipes end with a newline that is not part of the message. */
const withoutFinalNewline = (text: string): string => text.replace(/\r?\n$/, '');

const unsupported = (acceptsText: boolean): Problem =>
  new Problem(
    'unsupported_media_type',
    `The media type of the body is not supported. Send ${acceptsText ? 'application/json or text/plain' : 'application/json'} in UTF-8, without Content-Encoding.`,
  );

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
