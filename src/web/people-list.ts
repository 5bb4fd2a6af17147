/** Who is online, live, and the field to find one of them or to write to somebody who is not. */

import { avatar } from './avatar.ts';
import { arrange, el, part, write } from './dom.ts';
import { routeTo } from './route.ts';
import type { Store } from './state.ts';
import { say } from './words.ts';

export function showPeople(
  { state, watch }: Store,
  find: (name: string) => Promise<string | undefined>,
): void {
  const list = part('people', HTMLUListElement);
  const total = part('online-total', HTMLElement);
  const hint = part('people-hint', HTMLElement);
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
        el('span', { class: 'name', dir: 'auto' }, key),
        el('span', { class: 'you' }),
      ),
    );

  function show(): void {
    const { me, online, language, onlineTotal } = state;
    if (me === undefined) {
      list.replaceChildren();
      return;
    }
    const wanted = field.value.trim().toLowerCase();
    const names = [...online]
      .filter((name) => name.includes(wanted))
      .sort((one, other) => one.localeCompare(other));
    const others = names.filter((name) => name !== me);
    const mine = names.includes(me) ? [me] : [];
    arrange(
      list,
      [...mine, ...others].map((key) => ({ key })),
      make,
      (element, { key }) => write(element.querySelector('.you')!, key === me ? say(language, 'you') : ''),
    );
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
