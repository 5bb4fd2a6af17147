/** What is not an operation: the contract as files, and the reference page. Nothing here loads from another host. */
import { fileURLToPath } from 'node:url';
import express, { Router } from 'express';
import helmet from 'helmet';
import type { Contract } from './contract.ts';
import { allowOnly } from './problem-json.ts';

const DOCS = fileURLToPath(new URL('./docs', import.meta.url));

export function createPages({ yaml, document }: Contract): Router {
  const router = Router();
  const json = JSON.stringify(document);
  router.get('/openapi.yaml', (_req, res) => void res.type('application/yaml').send(yaml));
  router.get('/openapi.json', (_req, res) => void res.type('application/json').send(json));
  router.get('/', (_req, res) => res.redirect('/docs'));
  router.use('/docs', helmet({ contentSecurityPolicy: { useDefaults: false, directives: DOCS_POLICY } }));
  router.get('/docs', (_req, res) => res.sendFile('index.html', { root: DOCS }));
  router.use('/docs', express.static(DOCS, { index: false, redirect: false, fallthrough: true }));
  router.all(['/openapi.yaml', '/openapi.json', '/', '/docs'], allowOnly(['GET', 'HEAD']));
  return router;
}

/** Scripts, styles, images and calls: this host only. Swagger UI draws its icons as data: images. */
const DOCS_POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", 'data:'],
  connectSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
};
