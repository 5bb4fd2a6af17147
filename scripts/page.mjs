// Bundles the web page: its script, src/web/main.ts with the typed client, and its sheets.
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
