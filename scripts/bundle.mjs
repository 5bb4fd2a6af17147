// Bundles the clients, and the assets of the API reference. The client SDK is compiled into both bundles; whatever else the
// terminal client imports stays a dependency of the package.
import { cpSync, existsSync, readFileSync } from 'node:fs';
import { build } from 'esbuild';

/** The web page's script and its style sheets. */
export const bundlePage = (outdir) =>
  build({
    entryPoints: { app: 'clients/web/src/main.ts', style: 'clients/web/src/style.css' },
    entryNames: '[name].min',
    outdir,
    bundle: true,
    minify: true,
    format: 'esm',
    target: 'es2022',
    legalComments: 'none',
    logLevel: 'warning',
  });

/** The commands `parley` and `parley-chat`. */
export const bundleCli = (outdir) =>
  build({
    entryPoints: ['clients/cli/src/main.ts', 'clients/cli/src/parley-chat.ts'],
    outdir,
    bundle: true,
    splitting: true,
    packages: 'external',
    alias: { '@parley-chat/client': './clients/sdk/src/index.ts' },
    platform: 'node',
    format: 'esm',
    target: 'node20',
    logLevel: 'warning',
  });

const REFERENCE = [
  'swagger-ui-bundle.js',
  'swagger-ui.css',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
];

/** The files of Swagger UI that are served, with its licence. Files that are already there keep their time. */
export function copyReference(outdir) {
  for (const file of REFERENCE) {
    const [from, to] = [`node_modules/swagger-ui-dist/${file}`, `${outdir}/${file}`];
    if (!existsSync(to) || !readFileSync(to).equals(readFileSync(from))) cpSync(from, to);
  }
}
