// Builds dist/: compiles src, and puts beside it what is read at run time.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { bundlePage } from './page.mjs';

rmSync('dist', { recursive: true, force: true });
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('src/contract.d.ts', 'dist/contract.d.ts'); // the types of parley/client begin with it
cpSync('src/store/lua', 'dist/store/lua', { recursive: true });
cpSync('src/http/docs', 'dist/http/docs', { recursive: true });
for (const file of ['index.html', 'icon.svg']) cpSync(`src/web/${file}`, `dist/web/${file}`);
await bundlePage('dist/web');
// The reference page is Swagger UI; these files of it, and its licence, are all that is served.
for (const file of [
  'swagger-ui-bundle.js',
  'swagger-ui.css',
  'swagger-ui-bundle.js.LICENSE.txt',
  'LICENSE',
  'NOTICE',
]) {
  cpSync(`node_modules/swagger-ui-dist/${file}`, `dist/http/docs/${file}`);
}
chmodSync('dist/terminal/main.js', 0o755); // the command `parley`
