// Prints the section of CHANGELOG.md for a version: node scripts/release-notes.mjs 1.2.3
import { readFileSync } from 'node:fs';

const [version = ''] = process.argv.slice(2);
const sections = readFileSync('CHANGELOG.md', 'utf8').split(/^(?=## )/m);
const section = sections.find((each) => each.startsWith(`## [${version}]`));
if (!section) {
  process.stderr.write(`CHANGELOG.md has no section for ${version}\n`);
  process.exit(1);
}
process.stdout.write(`${section.replace(/^.*\n/, '').trim()}\n`);
