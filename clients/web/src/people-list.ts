/** Who is online, live, and the field to find one of them or to write to somebody who is not. */
import { avatar } from './avatar.ts';
import { byId, el, reconcile, setText } from './dom.ts';
import { say } from './i18n.ts';
import { bothNames, displayNameOf, usernameBeside } from './names.ts';
import { routeTo } from './route.ts';
import { isStale, type Store } from './state.ts';

export function showPeople(
  { state, watch }: Store,
  find: (name: string) => Promise<string | undefined>,
): void {
  const list = byId('people', HTMLUListElement);
  const total = byId('online-total', HTMLElement);
  const hint = byId('people-hint', HTMLElement);
  const stale = byId('people-stale', HTMLElement);
  const section = byId('online', HTMLElement);
  const form = byId('finder', HTMLFormElement);
  const field = byId('find', HTMLInputElement);
  const problem = byId('find-problem', HTMLElement);

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
    setText(element.querySelector('.name')!, displayNameOf(state, key));
    setText(element.querySelector('.username')!, usernameBeside(state, key));
    setText(element.querySelector('.you')!, key === state.me ? say(state.language, 'you') : '');
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
    reconcile(
      list,
      [...mine, ...others].map((key) => ({ key })),
      make,
      update,
    );
    section.classList.toggle('is-stale', isStale(state));
    setText(stale, isStale(state) && online.size > 0 ? say(language, 'stalePeople') : '');
    setText(total, String(onlineTotal));
    if (wanted) setText(hint, names.length === 0 ? say(language, 'noMatch') : '');
    else if (onlineTotal > online.size + 1) setText(hint, say(language, 'tooMany'));
    else setText(hint, others.length === 0 && online.size > 0 ? say(language, 'nobodyElse') : '');
  }

  field.addEventListener('input', () => {
    setText(problem, '');
    show();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (!field.value.trim()) return;
    const said = await find(field.value.trim());
    setText(problem, said ?? '');
    if (said === undefined) {
      field.value = '';
      show();
    }
  });
  watch(show);
}
