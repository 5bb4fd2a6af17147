/** `parley chat` from the first menu to the last word: one login after another, until the person leaves. */
import { randomUUID } from 'node:crypto';
import { type ChatContext, shownName } from './context.ts';
import { EXIT } from './help.ts';
import { openLiveState } from './live-state.ts';
import { comeBack, type Entered, type Entrance, enter } from './login-menu.ts';
import { type End, menu } from './menu.ts';
import { createOutbox, type Letter } from './outbox.ts';
import { intro, Left, log, outro } from './prompts.ts';
import { sanitizeLine } from './sanitize.ts';
import type { Terminal } from './terminal.ts';

/** To acknowledge, and to end the session, are good manners; nobody waits long for them. */
const GOODBYE_MS = 2_000;

export async function runChat(entrance: Entrance): Promise<number> {
  const { terminal, server } = entrance;
  const { say, output, style } = terminal;
  intro(style('bold', say('welcome', { server })), { output });
  log.message(style('dim', say('keys')), { output });
  try {
    for (let entered = await comeBack(entrance); ; entered = undefined) {
      entered ??= await enter(entrance);
      if (!entered) break;
      const end = await stay(entered, terminal);
      if (end === 'quit') break;
    }
  } catch (error) {
    if (!(error instanceof Left)) throw error;
  }
  outro(say('bye'), { output });
  return EXIT.done;
}

async function stay({ parley, me, isKept }: Entered, terminal: Terminal): Promise<End> {
  const person: ChatContext = {
    ...{ parley, me, terminal },
    feed: openLiveState(parley, me),
    outbox: createOutbox(parley, randomUUID),
  };
  let end: End = 'quit';
  try {
    end = await menu(person);
  } finally {
    const unsent = person.outbox.close();
    await person.feed.close(GOODBYE_MS);
    if (end === 'logOut' || (end === 'quit' && !isKept))
      await parley.logout({ signal: AbortSignal.timeout(GOODBYE_MS) }).catch(() => {});
    tellUnsent(unsent, terminal);
  }
  if (end === 'ended') {
    const reason = person.feed.end()?.reason === 'replaced' ? 'replaced' : 'sessionOver';
    log.warn(terminal.say(reason), { output: terminal.output });
  }
  return end;
}

/** What could not be sent is said, so that it can be copied. */
function tellUnsent(letters: readonly Letter[], terminal: Terminal): void {
  if (letters.length === 0) return;
  const lines = letters.map(({ to, text }) => `${shownName(to, terminal)} › ${sanitizeLine(text)}`);
  log.warn([terminal.say('unsent'), ...lines].join('\n'), { output: terminal.output });
}
