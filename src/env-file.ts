/**
 * Reads a `.env` file. Node's parser never fails: it skips lines it cannot read and cuts values at any `#`. So the
 * form of the file is checked first, and an error names the line, never its content, which may be a secret.
 */
import { readFileSync } from 'node:fs';
import { parseEnv } from 'node:util';

/** Quoted values may span lines. A comment after a value must be preceded by white space. */
const VALUE = /"[^"]*"|'[^']*'|`[^`]*`|(?:[^\s"'`#][^\n#]*)?/.source;
const LINE = `[ \\t]*(?:(?:export[ \\t]+)?[A-Za-z_]\\w*[ \\t]*=[ \\t]*(?:${VALUE}))?[ \\t]*(?:(?<![^\\s=])#[^\\n]*)?(?:\\n|$)`;

/** Returns no variables when there is no such file. */
export function readEnvFile(path: string): Record<string, string> {
  const text = read(path);
  const line = firstBadLine(text);
  if (line !== undefined)
    throw new Error(
      `line ${line} of ${path} is not NAME=value; write comments after # and put values that contain # or quotes in quotes`,
    );
  return { ...parseEnv(text) } as Record<string, string>;
}

function read(path: string): string {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return '';
    if (code === 'EISDIR') throw new Error(`${path} is a directory; Parley expects a file of settings there`);
    throw new Error(`${path} cannot be read (${code}); change its permissions or remove it`);
  }
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes).replaceAll('\r\n', '\n');
  } catch {
    throw new Error(`${path} is not UTF-8 text; save it as UTF-8`);
  }
}

/** Line numbers start at 1. For a quote that is never closed, returns the line that opens it. */
function firstBadLine(text: string): number | undefined {
  const line = new RegExp(LINE, 'y');
  for (let at = 0; at < text.length; at = line.lastIndex) {
    line.lastIndex = at;
    if (!line.test(text)) return text.slice(0, at).split('\n').length;
  }
  return undefined;
}
