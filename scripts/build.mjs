// Builds dist/: compiles src, and puts beside it what is read at run time.
import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, rmSync } from 'node:fs';
import { bundlePage, copyReference } from './page.mjs';

rmSync('dist', { recursive: true, force: true });
execFileSync('node_modules/.bin/tsc', ['-p', 'tsconfig.build.json'], { stdio: 'inherit' });
cpSync('src/contract.d.ts', 'dist/contract.d.ts'); // the types of parley/client begin with it
cpSync('src/store/lua', 'dist/store/lua', { recursive: true });
cpSync('src/http/docs', 'dist/http/docs', { recursive: true });
for (const file of ['index.html', 'icon.svg']) cpSync(`src/web/${file}`, `dist/web/${file}`);
await bundlePage('dist/web');
copyReference('dist/http/docs');
chmodSync('dist/terminal/main.js', 0o755); // the command `parley`
