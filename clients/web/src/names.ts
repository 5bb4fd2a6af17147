/**
 * What people call themselves. Anybody may take any display name, so where it is not the username the username stands
 * beside it. The list of who is online brings them; for the others in sight the server is asked, one at a time and once.
 */
import type { Parley } from '@parley-chat/client';
import { EVERYBODY } from './conversation.ts';
import { el } from './dom.ts';
import type { State, Store } from './state.ts';

type Named = { username: string; displayName: string };

export const displayNameOf = ({ displayNames }: State, username: string): string =>
  displayNames.get(username) ?? username;

/** The username, where the display name does not say it. */
export function usernameBeside(state: State, username: string): string {
  return displayNameOf(state, username).normalize('NFKC').toLowerCase() === username ? '' : username;
}

/** Both in one text, where they cannot stand beside each other; each keeps its own direction. */
export function nameInText(state: State, username: string): string {
  const beside = usernameBeside(state, username);
  const name = displayNameOf(state, username);
  return beside ? `\u2068${name}\u2069 (\u2068${beside}\u2069)` : name;
}

export function learnNames({ displayNames }: State, people: Named[]): void {
  for (const { username, displayName } of people) displayNames.set(username, displayName);
}

export function followNames(parley: Parley, { state, watch, changed }: Store): void {
  /** Names that were not found are in it too. */
  let asked = new Set<string>();
  let askedBy = state.me;
  let isAsking = false;

  function* inSight(): Generator<string> {
    if (state.me !== undefined) yield state.me;
    for (const { name } of state.talks.values()) if (name !== EVERYBODY) yield name;
    const open = state.talks.get(state.open ?? EVERYBODY);
    for (const { from } of open?.messages ?? []) yield from;
    yield* state.online;
  }

  function next(): string | undefined {
    for (const name of inSight()) if (!state.displayNames.has(name) && !asked.has(name)) return name;
    return undefined;
  }

  async function ask(): Promise<void> {
    isAsking = true;
    for (let name = next(); name !== undefined; name = next()) {
      const { data, problem } = await parley.getUser(name);
      if (problem && problem.code !== 'unknown_user') break; // with the next change again
      asked.add(name);
      if (data) learnNames(state, [data]);
      changed();
    }
    isAsking = false;
  }

  watch(() => {
    if (askedBy !== state.me) [asked, askedBy] = [new Set(), state.me];
    if (state.me !== undefined && state.connection.kind === 'open' && !isAsking) void ask();
  });
}

/** Where both names of somebody stand. */
export const bothNames = (): HTMLElement =>
  el(
    'span',
    { class: 'names' },
    el('span', { class: 'name', dir: 'auto' }),
    ' ',
    el('span', { class: 'username', dir: 'auto' }),
  );
