/** The search field above the list of people. It filters the list, and opens the conversation with the name in it. */
import { byId, setText } from './dom.ts';

/** Opens the conversation with this account. Resolves to the problem, if it could not. */
export type Find = (name: string) => Promise<string | undefined>;

export type Finder = {
  /** What to filter the list by, in lower case; empty: show everybody. */
  query(): string;
};

export function createFinder(find: Find, onQuery: () => void): Finder {
  const form = byId('finder', HTMLFormElement);
  const field = byId('find', HTMLInputElement);
  const problem = byId('find-problem', HTMLElement);

  field.addEventListener('input', () => {
    setText(problem, '');
    onQuery();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    const name = field.value.trim();
    if (!name) return;
    const failure = await find(name);
    setText(problem, failure ?? '');
    if (failure === undefined) {
      field.value = '';
      onQuery();
    }
  });
  return { query: () => field.value.trim().toLowerCase() };
}
