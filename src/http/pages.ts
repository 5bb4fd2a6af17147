/**
 * What is not an operation: the web page, the contract as files, the reference. Nothing here loads from another host.
 * All files are read at the start; a page's script is bundled by the build, so among the sources it may be missing.
 */
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { STATUS_CODES } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RequestHandler, Router } from 'express';
import type { Contract } from './openapi.ts';
import { allowOnly } from './problem-json.ts';
import { type Policy, securePage } from './security-headers.ts';

export function createPages({ yaml, document }: Contract, hstsSeconds: number) {
  const router = Router();
  const json = JSON.stringify(document);
  const askAgain = { 'Cache-Control': 'no-cache' };
  router.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').set(askAgain).send(yaml));
  router.get('/openapi.json', (_req, res) => void res.type('application/json').set(askAgain).send(json));
  const web: Served = Object.entries(WEB_FILES).map(([path, file]) => [path, `../web/${file}`]);
  const docs: Served = readdirSync(here('./docs')).map((file) => [docsPath(file), `./docs/${file}`]);
  const places: [files: Served, policy: Policy, caching: string][] = [
    [web, WEB_POLICY, 'no-cache'],
    [docs, DOCS_POLICY, 'public, max-age=0'],
  ];
  router.use('/docs', securePage(hstsSeconds, DOCS_POLICY));
  // Its addresses are relative: they lead on from /docs, not from /docs/.
  router.get('/docs', (req, res, next) =>
    req.originalUrl.startsWith('/docs/') ? res.redirect('../docs') : next(),
  );
  for (const [files, policy, caching] of places) {
    const guard = securePage(hstsSeconds, policy);
    for (const [path, file] of files)
      if (existsSync(here(file))) router.get(path, guard, sendKept(here(file), caching));
  }
  const paths = ['/openapi.yaml', '/openapi.json', ...[...web, ...docs].map(([path]) => path)];
  router.all(paths, allowOnly(['GET', 'HEAD']));
  const known = new Set(paths.flatMap((path) => [path, `${path}/`]));
  /** Whether the router is worth asking: it looks at a path once for each of its own. */
  return { router, has: (path: string): boolean => known.has(path) };
}

/** Where a browser finds a file, and where it is from here. */
type Served = [path: string, file: string][];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const docsPath = (file: string): string => (file === 'index.html' ? '/docs' : `/docs/${file}`);

/** Read now and kept: an upgrade may replace the folder under a node that runs, and descriptors may run out. */
function sendKept(file: string, caching: string): RequestHandler {
  const bytes = readFileSync(file);
  const type = extname(file) || '.txt';
  // Told by what they hold: packed files all have the same time.
  const ETag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  return (req, res) => {
    const wanted = req.get('If-Match');
    if (wanted !== undefined && wanted !== '*' && !wanted.includes(ETag)) throw cannot(412);
    res.type(type).set({ ETag, 'Cache-Control': caching, 'Accept-Ranges': 'bytes' });
    const condition = req.get('If-Range');
    const ranges = condition === undefined || condition === ETag ? req.range(bytes.length) : undefined;
    if (ranges === -1) throw cannot(416);
    const range = Array.isArray(ranges) && ranges.type === 'bytes' && ranges.length === 1 && ranges[0];
    if (!range || req.fresh) return void res.send(bytes);
    res.status(206).set('Content-Range', `bytes ${range.start}-${range.end}/${bytes.length}`);
    res.send(bytes.subarray(range.start, range.end + 1));
  };
}

const cannot = (status: number): Error => Object.assign(new Error(STATUS_CODES[status]), { status });

const WEB_FILES = {
  '/': 'index.html',
  '/app.js': 'app.min.js',
  '/style.css': 'style.min.css',
  '/icon.svg': 'icon.svg',
};

/** Scripts, styles, images and calls: this host only. */
const HERE_ONLY: Policy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};
/** And no text can become markup: there is nothing in the page's script that may make any. */
const WEB_POLICY: Policy = { ...HERE_ONLY, requireTrustedTypesFor: ["'script'"], trustedTypes: ["'none'"] };
/** Swagger UI draws its icons as data: images. */
const DOCS_POLICY: Policy = { ...HERE_ONLY, imgSrc: ["'self'", 'data:'] };
