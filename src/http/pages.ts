/**
 * Serves the web page, the contract files and the API reference. None of them loads anything from another host.
 * All files are read at start-up. The build bundles the web page's script, so it may be missing in a source checkout.
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
  const noCache = { 'Cache-Control': 'no-cache' };
  router.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').set(noCache).send(yaml));
  router.get('/openapi.json', (_req, res) => void res.type('application/json').set(noCache).send(json));
  const web: ServedFiles = Object.entries(WEB_FILES).map(([path, file]) => [path, `${WEB_FOLDER}/${file}`]);
  const docs: ServedFiles = readdirSync(here('./docs')).map((file) => [docsPath(file), `./docs/${file}`]);
  const groups: [files: ServedFiles, policy: Policy, caching: string][] = [
    [web, WEB_POLICY, 'no-cache'],
    [docs, DOCS_POLICY, 'public, max-age=0'],
  ];
  router.use('/docs', securePage(hstsSeconds, DOCS_POLICY));
  // The links on the page are relative to /docs, not to /docs/.
  router.get('/docs', (req, res, next) =>
    req.originalUrl.startsWith('/docs/') ? res.redirect('../docs') : next(),
  );
  for (const [files, policy, caching] of groups) {
    const secure = securePage(hstsSeconds, policy);
    for (const [path, file] of files)
      if (existsSync(here(file))) router.get(path, secure, serveFile(here(file), caching));
  }
  const paths = ['/openapi.yaml', '/openapi.json', ...[...web, ...docs].map(([path]) => path)];
  router.all(paths, allowOnly(['GET', 'HEAD']));
  const known = new Set(paths.flatMap((path) => [path, `${path}/`]));
  /** Whether to call the router at all: it compares a path with each of its own. */
  return { router, has: (path: string): boolean => known.has(path) };
}

/** `path` is the URL path, `file` is relative to this module. */
type ServedFiles = [path: string, file: string][];

const here = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
const docsPath = (file: string): string => (file === 'index.html' ? '/docs' : `/docs/${file}`);

/** Serves a file from memory: an upgrade may replace the files of a running node, and file descriptors may run out. */
function serveFile(file: string, caching: string): RequestHandler {
  const bytes = readFileSync(file);
  const type = extname(file) || '.txt';
  // ETag from the content, because npm packs all files with the same modification time.
  const ETag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
  return (req, res) => {
    const ifMatch = req.get('If-Match');
    if (ifMatch !== undefined && ifMatch !== '*' && !ifMatch.includes(ETag)) throw httpError(412);
    res.type(type).set({ ETag, 'Cache-Control': caching, 'Accept-Ranges': 'bytes' });
    const ifRange = req.get('If-Range');
    const ranges = ifRange === undefined || ifRange === ETag ? req.range(bytes.length) : undefined;
    if (ranges === -1) throw httpError(416);
    const range = Array.isArray(ranges) && ranges.type === 'bytes' && ranges.length === 1 && ranges[0];
    if (!range || req.fresh) return void res.send(bytes);
    res.status(206).set('Content-Range', `bytes ${range.start}-${range.end}/${bytes.length}`);
    res.send(bytes.subarray(range.start, range.end + 1));
  };
}

const httpError = (status: number): Error => Object.assign(new Error(STATUS_CODES[status]), { status });

/** Beside the compiled server, or in a source checkout the workspace. */
const WEB_FOLDER = existsSync(here('../web')) ? '../web' : '../../clients/web';

const WEB_FILES = {
  '/': 'index.html',
  '/app.js': 'app.min.js',
  '/style.css': 'style.min.css',
  '/icon.svg': 'icon.svg',
};

/** Scripts, styles, images and requests: this host only. */
const SAME_HOST_ONLY: Policy = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'"],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};
/** Trusted types without any policy: no script on the page can turn text into markup. */
const WEB_POLICY: Policy = {
  ...SAME_HOST_ONLY,
  requireTrustedTypesFor: ["'script'"],
  trustedTypes: ["'none'"],
};
/** Swagger UI draws its icons as data: images. */
const DOCS_POLICY: Policy = { ...SAME_HOST_ONLY, imgSrc: ["'self'", 'data:'] };
