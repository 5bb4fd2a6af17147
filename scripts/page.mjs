// What the pages need beside their sources. The web page: its script, src/web/main.ts with the typed client, and its
// sheets, bundled. The reference: Swagger UI; these files of it, and its licence, are all that is served.
import { cpSync } from 'node:fs';
import { build } from 'esbuild';

export const bundlePage = (outdir) =>
  build({
    entryPoints: { app: 'src/web/main.ts', style: 'src/web/style.css' },
    entryNames: '[name].min',
    outdir,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
  });

const REFERENCE = [
  'swagger-ui-bundle.js',
  'swagger-ui.css',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
];

export function copyReference(outdir) {
  for (const file of REFERENCE) cpSync(`node_modules/swagger-ui-dist/${file}`, `${outdir}/${file}`);
}
