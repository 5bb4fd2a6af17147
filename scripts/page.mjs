// Builds the assets of the two pages. Web page: bundles its script (src/web/main.ts with the typed client) and its style
// sheets. API reference: copies the files of Swagger UI that are served, with its licence.
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
