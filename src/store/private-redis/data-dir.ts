// The data directory of the private Redis: closed to other users, and checked before a server starts from it. A server
// that does not find its manifest silently starts empty beside the old data.
import * as fs from 'node:fs';
import { join } from 'node:path';

const FOLDER = 'appendonlydir';
const STEM = 'appendonly.aof'; // also the name of the single file of versions before 7, which newer servers migrate
const DATA_FILE = /\.(base\.(rdb|aof)|incr\.aof)$/;
/** The base file of a server without data has about 90 bytes; the remaining space cannot hold an account. */
const EMPTY_BASE_BYTES = 128;

const OURS =
  /^(jwt-secret.*|appendonlydir|appendonly\.aof.*|dump\.rdb|server-\d+-\w+\.lock|temp-.*|lost\+found|\..*)$/;
const OTHERS = 0o077;
const STICKY = 0o1000;

/** Create the directory if needed, closed to other users and writable. */
export function openDataDir(dataDir: string, log: (message: string) => void): void {
  try {
    fs.mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    fs.accessSync(dataDir, fs.constants.W_OK);
  } catch (error) {
    throw new Error(`the data directory ${dataDir} is not writable: ${(error as Error).message}`);
  }
  closeToOthers(dataDir, log);
  for (const [folder, names] of [
    [dataDir, [FOLDER, STEM, 'dump.rdb']],
    [join(dataDir, FOLDER), namesIn(join(dataDir, FOLDER))],
  ] as const)
    for (const name of names) close(join(folder, name));
}

function closeToOthers(dataDir: string, log: (message: string) => void): void {
  const { mode, uid } = fs.statSync(dataDir);
  const me = process.getuid?.();
  const isOurs = uid === me || me === 0;
  // Group access to a directory of another user is intended (a mounted volume).
  if ((mode & (isOurs ? OTHERS : 0o007)) === 0) return;
  const problem = `other users of this machine can access the data directory ${dataDir}`;
  const remedy = 'Run chmod 700 on it, or set DATA_DIR to a new directory inside it, which Parley creates.';
  if (!isOurs) throw new Error(`${problem}, and it belongs to another user. ${remedy}`);
  const foreign = namesIn(dataDir).find((name) => !OURS.test(name));
  if (mode & STICKY || foreign !== undefined)
    throw new Error(`${problem}, and it is not used by Parley alone (${foreign ?? 'shared'}). ${remedy}`);
  fs.chmodSync(dataDir, 0o700);
  log(`${problem}; changed its mode to 0700`);
}

/** Files inside a closed directory are safe, but they may be copied from there: close them too. */
function close(path: string): void {
  const status = fs.lstatSync(path, { throwIfNoEntry: false });
  if (!status || status.isSymbolicLink() || (status.mode & OTHERS) === 0) return;
  try {
    fs.chmodSync(path, status.mode & 0o700);
  } catch {
    // it belongs to another user, who gave this one access
  }
}

/** Removes temporary files of a server that was killed. */
export function removeTemporaryFiles(dataDir: string): void {
  for (const name of namesIn(dataDir))
    if (/^temp-(\d+\.rdb|rewriteaof(-bg)?-\d+\.aof)$/.test(name))
      fs.rmSync(join(dataDir, name), { recursive: true, force: true });
}

/** Throws unless a server can start from the existing files. Returns the append-only file, if there is one yet. */
export function checkDataFiles(dataDir: string): string | undefined {
  const folder = join(dataDir, FOLDER);
  const manifest = join(folder, `${STEM}.manifest`);
  const names = namesIn(folder);
  const hasData = (name: string) =>
    sizeOf(join(folder, name)) > (name.includes('.base.') ? EMPTY_BASE_BYTES : 0);
  const data = names.filter((name) => DATA_FILE.test(name) && hasData(name));
  if (!names.includes(`${STEM}.manifest`)) {
    if (data.length > 0)
      throw refusal(
        `${folder} has data (${data.join(', ')}) but no ${STEM}.manifest, so the server would start empty`,
      );
    if (!fs.existsSync(join(dataDir, STEM)) && fs.existsSync(join(dataDir, 'dump.rdb')))
      throw new Error(
        `${join(dataDir, 'dump.rdb')} would be ignored, because Parley's Redis reads append-only files only. Move it away to start empty, or load it into a Redis of your own and convert it (CONFIG SET appendonly yes).`,
      );
    return undefined;
  }
  const listed = listedIn(manifest);
  const missing = listed.find(({ name }) => !names.includes(name));
  if (missing) throw refusal(`${manifest} lists ${missing.name}, which does not exist`);
  const newest = Math.max(...listed.map(({ seq }) => seq));
  const later = data.find((name) => Number(/\.(\d+)\.incr\.aof$/.exec(name)?.[1]) > newest);
  if (later) throw refusal(`${join(folder, later)} is newer than ${manifest} and would be ignored`);
  const last = listed.findLast(({ type }) => type === 'i');
  return last && join(folder, last.name);
}

const refusal = (problem: string): Error =>
  new Error(`${problem}. Restore the whole directory from one backup, or move it away to start empty.`);

function listedIn(manifest: string): { name: string; seq: number; type: string }[] {
  const lines = fs.readFileSync(manifest, 'utf8').split('\n');
  const listed = lines
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => /^file (\S+) seq (\d+) type ([bhi])/.exec(line) ?? []);
  if (listed.length === 0 || listed.some(([line]) => line === undefined))
    throw refusal(`${manifest} is damaged or empty`);
  return listed
    .map(([, name = '', seq, type = '']) => ({ name, seq: Number(seq), type }))
    .filter(({ type }) => type !== 'h'); // history files, which may be gone already
}

function namesIn(folder: string): string[] {
  try {
    return fs.readdirSync(folder);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

const sizeOf = (file: string): number => fs.statSync(file, { throwIfNoEntry: false })?.size ?? 0;
