/** `parley chat`: runs one login after another until the user quits. */
import { randomUUID } from 'node:crypto';
import { type ChatContext, shownName } from './context.ts';
import { EXIT } from './help.ts';
import { openLiveState } from './live-state.ts';
import { type Login, type LoginContext, restoreLogin, showLoginMenu } from './login-menu.ts';
import { type End, menu } from './menu.ts';
import { createOutbox, type OutgoingMessage } from './outbox.ts';
import { intro, log, outro, UserExit } from './prompts.ts';
import { sanitizeLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';

/** Time limit for the last acknowledgement, and again for the logout. */
const GOODBYE_MS = 2_000;

export async function runChat(loginContext: LoginContext): Promise<number> {
  const { terminal, server } = loginContext;
  const { say, output, style } = terminal;
  intro(style('bold', say('welcome', { server })), { output });
  log.message(style('dim', say('keys')), { output });
  try {
    for (let login = await restoreLogin(loginContext); ; login = undefined) {
      login ??= await showLoginMenu(loginContext);
      if (!login) break;
      const end = await runSession(login, terminal);
      if (end === 'quit') break;
    }
  } catch (error) {
    if (!(error instanceof UserExit)) throw error;
  }
  outro(say('bye'), { output });
  return EXIT.success;
}

async function runSession({ parley, me, staysLoggedIn }: Login, terminal: Terminal): Promise<End> {
  const context: ChatContext = {
    ...{ parley, me, terminal },
    live: openLiveState(parley, me),
    outbox: createOutbox(parley, randomUUID),
  };
  let end: End = 'quit';
  try {
    end = await menu(context);
  } finally {
    const unsent = context.outbox.close();
    await context.live.close(GOODBYE_MS);
    if (end === 'logOut' || (end === 'quit' && !staysLoggedIn))
      await parley.logout({ signal: AbortSignal.timeout(GOODBYE_MS) }).catch(() => {});
    reportUnsent(unsent, terminal);
  }
  if (end === 'ended') {
    const reason = context.live.end()?.reason === 'replaced' ? 'replaced' : 'sessionOver';
    log.warn(terminal.say(reason), { output: terminal.output });
  }
  return end;
}

/** Prints unsent messages, so that the user can copy them. */
function reportUnsent(messages: readonly OutgoingMessage[], terminal: Terminal): void {
  if (messages.length === 0) return;
  const lines = messages.map(({ to, text }) => `${shownName(to, terminal)} › ${sanitizeLine(text)}`);
  log.warn([terminal.say('unsent'), ...lines].join('\n'), { output: terminal.output });
}
