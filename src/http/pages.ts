/**
 * What is not an operation: the web page, the contract as files, the reference. Nothing here loads from another host.
 * The page's files are read once and named here; its script is bundled by the build, so among the sources it may be missing.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import express, { Router } from 'express';
import type { Contract } from './contract.ts';
import { allowOnly } from './problem-json.ts';
import { type Policy, securePage } from './security-headers.ts';

const DOCS = fileURLToPath(new URL('./docs', import.meta.url));

export function createPages({ yaml, document }: Contract, hstsSeconds: number): Router {
  const router = Router();
  const json = JSON.stringify(document);
  const askAgain = { 'Cache-Control': 'no-cache' };
  router.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').set(askAgain).send(yaml));
  router.get('/openapi.json', (_req, res) => void res.type('application/json').set(askAgain).send(json));
  const guardWeb = securePage(hstsSeconds, WEB_POLICY);
  for (const [path, file] of Object.entries(WEB_FILES)) {
    const from = fileURLToPath(new URL(`../web/${file}`, import.meta.url));
    if (!existsSync(from)) continue;
    const bytes = readFileSync(from);
    // Told by what they hold: packed files all have the same time.
    const ETag = `"${createHash('sha256').update(bytes).digest('base64url')}"`;
    const headers = { ETag, ...askAgain };
    router.get(path, guardWeb, (_req, res) => void res.type(extname(file)).set(headers).send(bytes));
  }
  router.use('/docs', securePage(hstsSeconds, DOCS_POLICY));
  router.get('/docs', (_req, res) => res.sendFile('index.html', { root: DOCS }));
  router.use('/docs', express.static(DOCS, { index: false, redirect: false, fallthrough: true }));
  router.all(
    ['/openapi.yaml', '/openapi.json', '/docs', ...Object.keys(WEB_FILES)],
    allowOnly(['GET', 'HEAD']),
  );
  return router;
}

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
