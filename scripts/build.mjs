// Builds dist/, the package of the server: compiles src, bundles the web page and the terminal client, and copies the files
// that are read at run time. Does nothing if no source has changed. The new folder is built beside the old one and then
// renamed, because a server may be running from dist/. If only the production dependencies are installed, an existing dist/ is
// used unchanged.
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';

const SOURCES = [
  'src',
  'clients/sdk/src',
  'clients/cli/src',
  'clients/web/src',
  'clients/web/index.html',
  'clients/web/icon.svg',
  'scripts',
  'openapi.yaml',
  'tsconfig.json',
  'tsconfig.build.json',
  'package.json',
];
const BUILT = 'dist/built';
const TSC = 'node_modules/typescript-7/bin/tsc';

function changedAtMs(path) {
  const { mtimeMs } = statSync(path);
  if (!statSync(path).isDirectory()) return mtimeMs;
  return Math.max(mtimeMs, ...readdirSync(path).map((name) => changedAtMs(`${path}/${name}`)));
}

/** The build tools are development dependencies. */
const canBuild = () =>
  [TSC, 'node_modules/esbuild', 'node_modules/swagger-ui-dist'].every((each) => existsSync(each));

async function build(folder) {
  const { bundleCli, bundlePage } = await import('./bundle.mjs');
  execFileSync(TSC, ['-p', 'tsconfig.build.json', '--outDir', folder], {
    stdio: 'inherit',
  });
  for (const file of ['common-passwords.txt', 'password-thread.mjs'])
    cpSync(`src/chat/${file}`, `${folder}/chat/${file}`);
  cpSync('src/store/lua', `${folder}/store/lua`, { recursive: true });
  cpSync('src/http/docs', `${folder}/http/docs`, { recursive: true });
  for (const file of ['index.html', 'icon.svg']) cpSync(`clients/web/${file}`, `${folder}/web/${file}`);
  await Promise.all([bundlePage(`${folder}/web`), bundleCli(`${folder}/cli`)]);
  for (const command of ['main.js', 'parley-chat.js']) chmodSync(`${folder}/cli/${command}`, 0o755);
}

function swap(fresh, old) {
  try {
    if (existsSync('dist')) renameSync('dist', old);
    renameSync(fresh, 'dist');
  } catch (error) {
    if (!existsSync(BUILT)) throw error; // otherwise a concurrent build finished first
  }
}

if (canBuild()) (await import('./bundle.mjs')).copyReference('src/http/docs'); // before the sources are compared: it is one
const changedAt = Math.max(...SOURCES.map(changedAtMs));
const isFresh = existsSync(BUILT) && statSync(BUILT).mtimeMs > changedAt;
if (!isFresh && !canBuild()) {
  const install = 'npm ci --include=dev';
  if (existsSync('dist/main.js')) {
    process.stderr.write(
      `dist/ may be out of date: the build tools are not installed. To rebuild it: ${install} && npm run build\n`,
    );
  } else {
    process.stderr.write(
      `dist/ does not exist and the build tools are not installed. Run: ${install} && npm run build\n`,
    );
    process.exitCode = 1;
  }
} else if (!isFresh) {
  // Just after the newest source: files that change during the build count as newer.
  const builtAt = new Date(Math.ceil(changedAt) + 1);
  const [fresh, old] = [`dist.${process.pid}`, `dist.${process.pid}.old`];
  try {
    await build(fresh);
    writeFileSync(`${fresh}/built`, '');
    utimesSync(`${fresh}/built`, builtAt, builtAt);
    swap(fresh, old);
  } finally {
    for (const folder of [fresh, old]) rmSync(folder, { recursive: true, force: true });
  }
}
