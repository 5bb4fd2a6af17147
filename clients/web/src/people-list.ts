/** Who is online, updated live, and the field to find one of them or to write to somebody who is not online. */
import { avatar } from './avatar.ts';
import { byId, el, reconcile, setText } from './dom.ts';
import { createFinder, type Find } from './finder.ts';
import { say, type Word } from './i18n.ts';
import { bothNames, displayNameOf, usernameBeside } from './names.ts';
import { routeTo } from './route.ts';
import { isStale, type State, type Store } from './state.ts';

export function showPeople({ state, watch }: Store, find: Find): void {
  const list = byId('people', HTMLUListElement);
  const total = byId('online-total', HTMLElement);
  const hint = byId('people-hint', HTMLElement);
  const stale = byId('people-stale', HTMLElement);
  const section = byId('online', HTMLElement);
  const finder = createFinder(find, show);

  function show(): void {
    const { me, online, language, onlineTotal } = state;
    if (me === undefined) {
      list.replaceChildren();
      return;
    }
    const query = finder.query();
    const names = namesMatching(query, state);
    reconcile(
      list,
      names.map((key) => ({ key })),
      ({ key }) => makePerson(key),
      (element, { key }) => updatePerson(element, key, state),
    );
    section.classList.toggle('is-stale', isStale(state));
    setText(stale, isStale(state) && online.size > 0 ? say(language, 'stalePeople') : '');
    setText(total, String(onlineTotal));
    const word = query ? hintOnMatches(names) : hintOnAll(state);
    setText(hint, word ? say(language, word) : '');
  }

  watch(show);
}

/** Sorted by display name, with the user's own name first. */
function namesMatching(query: string, state: State): string[] {
  const displayName = (name: string): string => displayNameOf(state, name);
  const names = [...state.online]
    .filter((name) => name.includes(query) || displayName(name).toLowerCase().includes(query))
    .sort((one, other) => displayName(one).localeCompare(displayName(other)) || one.localeCompare(other));
  const isMine = (name: string): boolean => name === state.me;
  return [...names.filter(isMine), ...names.filter((name) => !isMine(name))];
}

const hintOnMatches = (names: string[]): Word | undefined => (names.length === 0 ? 'noMatch' : undefined);

function hintOnAll({ me, online, onlineTotal }: State): Word | undefined {
  if (onlineTotal > online.size + 1) return 'tooMany';
  const isAlone = online.size === 1 && me !== undefined && online.has(me);
  return isAlone ? 'nobodyElse' : undefined;
}

function makePerson(name: string): HTMLElement {
  const link = el(
    'a',
    { class: 'person', href: routeTo(name) },
    avatar(name),
    bothNames(),
    el('span', { class: 'you' }),
  );
  return el('li', {}, link);
}

function updatePerson(element: HTMLElement, name: string, state: State): void {
  setText(element.querySelector('.name')!, displayNameOf(state, name));
  setText(element.querySelector('.username')!, usernameBeside(state, name));
  setText(element.querySelector('.you')!, name === state.me ? say(state.language, 'you') : '');
}
