/** The door: log in, or create an account and be in. Problems are said at the form, and the field at fault gets the focus. */
import type { Parley, Problem } from '@parley-chat/client';
import { byId, setText } from './dom.ts';
import { say, type Word } from './i18n.ts';
import { type Store, wordFor } from './state.ts';

type Fault = { word: Word; field: 'username' | 'password' | undefined };

function faultOf(problem: Problem, password: string): Fault {
  if (problem.code === 'validation_failed') {
    const isPassword = problem.errors.every(({ pointer }) => pointer === '/password');
    const bytes = new TextEncoder().encode(password).length;
    const hasLength = bytes >= 8 && bytes <= 72;
    return isPassword
      ? { word: hasLength ? 'problemPasswordGuessed' : 'problemPassword', field: 'password' }
      : { word: 'problemUsername', field: 'username' };
  }
  const field = { username_taken: 'username', bad_credentials: 'password' } as const;
  return { word: wordFor(problem.code), field: field[problem.code as keyof typeof field] };
}

export function showLogin({ state, watch }: Store, parley: Parley): void {
  const form = byId('login', HTMLFormElement);
  const fields = {
    username: byId('username', HTMLInputElement),
    password: byId('password', HTMLInputElement),
  };
  const notice = byId('login-notice', HTMLElement);
  const complaint = byId('login-problem', HTMLElement);
  const register = byId('register', HTMLButtonElement);
  const buttons = [...form.querySelectorAll('button')];
  let fault: Fault | undefined;

  function show(): void {
    setText(notice, state.notice ? say(state.language, state.notice) : '');
    setText(complaint, fault ? say(state.language, fault.word) : '');
    for (const [name, field] of Object.entries(fields))
      field.setAttribute('aria-invalid', String(fault?.field === name));
  }

  async function enter(isNew: boolean): Promise<void> {
    const who = { username: fields.username.value.trim(), password: fields.password.value };
    const registered = isNew ? await parley.register(who) : undefined;
    const { problem } = registered?.problem ? registered : await parley.login(who);
    fault = problem && faultOf(problem, who.password);
    if (!problem) form.reset();
  }

  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    // Enter in a field presses the first button: log in.
    const isNew = event.submitter === register;
    for (const button of buttons) button.disabled = true;
    form.setAttribute('aria-busy', 'true');
    await enter(isNew);
    form.removeAttribute('aria-busy');
    for (const button of buttons) button.disabled = false;
    show();
    if (fault) fields[fault.field ?? 'username'].focus();
  });
  watch(show);
}
