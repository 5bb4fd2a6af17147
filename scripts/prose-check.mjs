// Finds phrases that read as translated, in comments, test names, texts and documents. The rules are few and literal: a
// hit is always wrong. Prints file, line and what to write instead; exits with 1 if there is any hit.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** Generated or foreign files; the wording of the web page is changed together with its design. */
const SKIPPED =
  /(^|\/)(node_modules|dist)\/|^(clients\/web|test\/e2e\/web|src\/http\/docs|test\/foreign\/(?!.*\.ts$)|test\/foreign\/generated)|contract\.d\.ts$|package-lock|\.(json|svg|txt)$|^scripts\/prose-check\.mjs$|^LICENSE/;
const TEXT = /\.(ts|mjs|js|lua|md|yaml|yml|sh|py|css|html)$|^\.env\.example$|^\.ci\/run$/;

const RULES = [
  [/\banew\b/i, 'again'],
  [/\b(who|what|which)soever\b|\bwhoever\b/i, 'name the actor: "a client that …"'],
  [/\bfor ever\b/i, 'forever, indefinitely'],
  [/\bthere(of|upon|with)\b/i, 'of it, then, with it'],
  [/\bso (long|many) (?!as\b|that\b|to\b)/i, 'a number, a limit, "a few"'],
  [/\bas (\w+ )?(has|have) it\b/i, 'according to'],
  [/\b(is|are|was|were|be|been|being|not) told\b/i, 'is reported, is notified'],
  [/\b(tells|told) (of|about|as)\b/i, 'reports'],
  [/\ba (bug|fault) of ours\b/i, 'unexpected error'],
  [/\bcannot be had\b/i, 'is not available'],
  [/\bsays? (no|yes)\b/i, 'fails, succeeds'],
  [/\bat once\b[^.]{0,20}\bat once\b/i, 'immediately; at the same time'],
  [/\bare given back\b|\bis given back\b/i, 'is released, is refunded'],
  // a free relative as the subject of a sentence or of a test's name
  [
    /(^|[.;:] )(\/\/ |\/\*\* |\* |-- |# )?(Who|Whoever|What) (?![^.]*\?)[a-z]+ [^.?]*\b(is|are|gets|goes|costs|has|must|may|can|cannot|stays|waits)\b/,
    'name the actor: "A client that …"',
  ],
  [/\b(test|describe)(\.\w+)*\(\s*['"`](who|what) /, 'name the actor: "a client that …"'],
];

const ROOTS = ['src', 'clients', 'test', 'bench', 'scripts', 'docs', 'examples', 'deploy', '.github', '.ci'];
const files = [...ROOTS.filter((root) => existsSync(root)), '.']
  .flatMap((root) =>
    readdirSync(root, { recursive: root !== '.', withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name)),
  )
  .filter((file) => TEXT.test(file) && !SKIPPED.test(file));
let hits = 0;
for (const file of files) {
  const lines = readFileSync(file, 'utf8').split('\n');
  for (const [index, line] of lines.entries()) {
    const text = line.trim();
    if (/^#+ /.test(text) && file.endsWith('.md')) continue; // a heading may be a question without its mark
    for (const [pattern, instead] of RULES) {
      const found = pattern.exec(text)?.[0];
      if (found === undefined) continue;
      hits += 1;
      process.stdout.write(`${file}:${index + 1}: "${found.slice(0, 60)}": ${instead}\n`);
    }
  }
}
process.exitCode = hits > 0 ? 1 : 0;
