/** Who is online, live, and the field to find one of them or to write to somebody who is not. */

import { avatar } from './avatar.ts';
import { arrange, el, part, write } from './dom.ts';
import { bothNames, displayNameOf, usernameBeside } from './names.ts';
import { routeTo } from './route.ts';
import { isStale, type Store } from './state.ts';
import { say } from './words.ts';

export function showPeople(
  { state, watch }: Store,
  find: (name: string) => Promise<string | undefined>,
): void {
  const list = part('people', HTMLUListElement);
  const total = part('online-total', HTMLElement);
  const hint = part('people-hint', HTMLElement);
  const stale = part('people-stale', HTMLElement);
  const section = part('online', HTMLElement);
  const form = part('finder', HTMLFormElement);
  const field = part('find', HTMLInputElement);
  const problem = part('find-problem', HTMLElement);

  const make = ({ key }: { key: string }): HTMLElement =>
    el(
      'li',
      {},
      el(
        'a',
        { class: 'person', href: routeTo(key) },
        avatar(key),
        bothNames(),
        el('span', { class: 'you' }),
      ),
    );

  function update(element: HTMLElement, { key }: { key: string }): void {
    write(element.querySelector('.name')!, displayNameOf(state, key));
    write(element.querySelector('.username')!, usernameBeside(state, key));
    write(element.querySelector('.you')!, key === state.me ? say(state.language, 'you') : '');
  }

  function show(): void {
    const { me, online, language, onlineTotal } = state;
    if (me === undefined) {
      list.replaceChildren();
      return;
    }
    const wanted = field.value.trim().toLowerCase();
    const called = (name: string) => displayNameOf(state, name);
    const names = [...online]
      .filter((name) => name.includes(wanted) || called(name).toLowerCase().includes(wanted))
      .sort((one, other) => called(one).localeCompare(called(other)) || one.localeCompare(other));
    const others = names.filter((name) => name !== me);
    const mine = names.includes(me) ? [me] : [];
    arrange(
      list,
      [...mine, ...others].map((key) => ({ key })),
      make,
      update,
    );
    section.classList.toggle('is-stale', isStale(state));
    write(stale, isStale(state) && online.size > 0 ? say(language, 'stalePeople') : '');
    write(total, String(onlineTotal));
    if (wanted) write(hint, names.length === 0 ? say(language, 'noMatch') : '');
    else if (onlineTotal > online.size + 1) write(hint, say(language, 'tooMany'));
    else write(hint, others.length === 0 && online.size > 0 ? say(language, 'nobodyElse') : '');
  }

  field.addEventListener('input', () => {
    write(problem, '');
    show();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    const said = await find(field.value.trim());
    write(problem, said ?? '');
    if (said === undefined) {
      field.value = '';
      show();
    }
  });
  watch(show);
}
