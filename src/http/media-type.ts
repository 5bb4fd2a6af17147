/**
 * Decides which format in UTF-8 a Content-Type means. `application/json` defines no parameters (RFC 8259, section 11),
 * but clients send various ones; all are ignored except a `charset` other than UTF-8. Types that end in `+json` are
 * different formats (such as merge patch) that no operation accepts.
 */
const JSON_OR_TEXT = /^(?:application\/(json)|text\/plain)[\t ]*(?:;|$)/i;

export type BodyFormat = 'json' | 'text';

/** Undefined for every other format, and for other character sets. */
export function formatInUtf8(type: string): BodyFormat | undefined {
  if (type === 'application/json') return 'json';
  const found = JSON_OR_TEXT.exec(type);
  if (!found) return undefined;
  const isUtf8 = parametersOf(type).every(
    ([name, value]) => name !== 'charset' || /^(?:utf-?8)?$/.test(value),
  );
  if (!isUtf8) return undefined;
  return found[1] ? 'json' : 'text';
}

/** Names and values in lower case. A quoted value may contain `;` and `=` (RFC 9110, section 5.6.4). */
function parametersOf(type: string): [name: string, value: string][] {
  const parts: string[] = [''];
  let isQuoted = false;
  for (let i = 0; i < type.length; i += 1) {
    const char = type[i]!;
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted && char === '\\') i += 1;
    if (char === ';' && !isQuoted) parts.push('');
    else if (char !== '"') parts[parts.length - 1] += type[i] ?? '';
  }
  return parts.slice(1).map((part) => {
    const [name = '', ...value] = part.toLowerCase().split('=');
    return [name.trim(), value.join('=').trim()];
  });
}
