/** The page: the client, what the page knows, its parts, and how they hang together. */
import { createParley, type Session, type SessionChange } from '@parley-chat/client';
import { createAnnouncer } from './announcer.ts';
import { showComposer } from './composer.ts';
import { showConnection } from './connection-bar.ts';
import { EVERYBODY } from './conversation.ts';
import { showHeader } from './conversation-header.ts';
import { showConversations } from './conversation-list.ts';
import { byId, setText, translate } from './dom.ts';
import { type EventHandlers, startEventHandlers } from './event-handlers.ts';
import { createHistory } from './history.ts';
import { firstLanguage, keepLanguage, otherLanguage, say } from './i18n.ts';
import { showLogin } from './login-form.ts';
import { createMailbox, type Mailbox } from './mailbox.ts';
import { showMessages } from './message-list.ts';
import { displayNameOf, followNames, learnNames, usernameBeside } from './names.ts';
import { showPeople } from './people-list.ts';
import { readRoute, routeTo } from './route.ts';
import { createSending } from './sending.ts';
import { createStore, wordFor } from './state.ts';
import { browserDevices, claim, createTabStorage, keepUnfinished, readUnfinished } from './tab-storage.ts';

const store = createStore(firstLanguage());
const { state, changed, watch } = store;
const storage = createTabStorage();
const baseUrl = new URL('.', document.baseURI).href; // under whatever path a proxy has put the page
const parley = createParley({
  baseUrl,
  storage,
  devices: browserDevices,
  lock: (_, task) => task(), // the session is this tab's alone
  onSession,
});
const history = createHistory(parley, store);
const sending = createSending(parley, store);
const announce = createAnnouncer(store);
const [door, house, text] = [
  byId('door', HTMLElement),
  byId('house', HTMLElement),
  byId('text', HTMLTextAreaElement),
];
/** style.css shows both halves of the house from there on. */
const isWide = matchMedia('(min-width: 720px)');
let mailbox: Mailbox | undefined;
let listening: EventHandlers | undefined;

function onSession(change: SessionChange): void {
  if (change.kind === 'started') enter(change.session);
  else if (change.kind === 'ended') leave(change.reason === 'logout');
}

function enter({ id, username }: Session): void {
  void claim(id);
  const unfinished = readUnfinished(username);
  store.forgetAll();
  Object.assign(state, { me: username, notice: undefined });
  store.talk(EVERYBODY);
  for (const { name, draft, outgoing } of unfinished.talks) {
    const talk = Object.assign(store.talk(name), { draft, outgoing });
    // What was on its way may have arrived. Its key makes sending it again harmless.
    for (const each of outgoing) if (each.failure === undefined) sending.again(talk, each);
  }
  mailbox = createMailbox((upTo) => parley.ackMailbox(upTo), unfinished.seen);
  listen();
  follow();
}

function listen(): void {
  listening?.stop();
  listening = mailbox && startEventHandlers({ parley, store, history, mailbox, onNews: announce });
}

function leave(isWanted: boolean): void {
  listening?.stop();
  mailbox?.stop();
  [listening, mailbox] = [undefined, undefined];
  if (isWanted) keepUnfinished(undefined);
  store.forgetAll();
  state.notice = isWanted ? undefined : 'noticeEnded';
  changed();
}

/** The talk that the address says. */
const addressed = (): string | undefined => readRoute() ?? (isWide.matches ? EVERYBODY : undefined);

/** At once: until `hashchange` comes, what is already being written would go to the talk before. */
function go(hash: string): void {
  location.hash = hash;
  arrive();
}

/** The focus goes along. */
function arrive(): void {
  follow();
  if (state.me !== undefined && state.open !== undefined) queueMicrotask(focusTalk);
}

/** Opens it, and reads what is not known of it yet. */
function follow(): void {
  state.open = addressed();
  changed();
  if (state.me === undefined || state.open === undefined) return;
  const talk = store.talk(state.open);
  if (talk.history === 'unknown') void history.newest(talk);
  if (talk.name !== EVERYBODY) {
    void parley.getUser(talk.name).then(({ data }) => {
      talk.user = data;
      if (data) learnNames(state, [data]);
      changed();
    });
  }
}

/** Undefined when somebody of this name was found and the talk is open. */
async function find(name: string): Promise<string | undefined> {
  const { data, problem } = await parley.getUser(name);
  if (data) {
    go(routeTo(data.username));
    return undefined;
  }
  return say(
    state.language,
    problem.code === 'validation_failed' ? 'problemUnknownUser' : wordFor(problem.code),
  );
}

/** On a phone a field with the focus brings the keyboard: there the heading has it. */
const focusTalk = (): void =>
  (isWide.matches ? text : byId('talk-name', HTMLElement)).focus({ preventScroll: true });

/** What is in view is seen. */
watch(() => {
  if (state.open === undefined || !state.isAtEnd || document.visibilityState !== 'visible') return;
  const talk = state.talks.get(state.open);
  if (!talk) return;
  const isNews = talk.name === EVERYBODY ? talk.unread > 0 : mailbox?.see(talk.name);
  if (!isNews) return;
  talk.unread = 0;
  changed();
});

watch(() => {
  const isIn = state.me !== undefined;
  const wasIn = !house.hidden;
  Object.assign(door, { hidden: isIn });
  Object.assign(house, { hidden: !isIn });
  house.classList.toggle('is-open', state.open !== undefined);
  setText(byId('my-name', HTMLElement), displayNameOf(state, state.me ?? ''));
  setText(byId('my-username', HTMLElement), usernameBeside(state, state.me ?? ''));
  byId('language', HTMLButtonElement).textContent = say(otherLanguage(state.language), 'language');
  if (isIn && !wasIn) focusTalk();
  if (!isIn && (wasIn || document.activeElement === document.body))
    byId('username', HTMLInputElement).focus();
});

showLogin(store, parley);
showConnection(store, () => {
  if (state.connection.kind === 'ended') listen();
  else if (state.connection.kind === 'open') state.hasGap = false;
  else listening?.stream.reconnect();
  changed();
});
showConversations(store);
showPeople(store, find);
followNames(parley, store);
showHeader(store);
showMessages(store, {
  older: (talk) => void history.older(talk),
  again: sending.again,
  discard: sending.discard,
});
showComposer(store, (words) => {
  if (state.open === undefined) return;
  state.isAtEnd = true; // who speaks looks at what was said
  sending.send(store.talk(state.open), words);
});

watch(() => {
  if (state.me === undefined || !mailbox) return;
  const talks = [...state.talks.values()]
    .filter(({ draft, outgoing }) => draft || outgoing.length > 0)
    .map(({ name, draft, outgoing }) => ({ name, draft, outgoing }));
  keepUnfinished({ username: state.me, seen: mailbox.seen(), talks });
});

byId('logout', HTMLButtonElement).addEventListener('click', () => {
  listening?.stop(); // the stream would say that the session was ended, before the answer says that it was wanted
  void parley.logout();
});
for (const id of ['language', 'door-language']) {
  byId(id, HTMLButtonElement).addEventListener('click', () => {
    state.language = otherLanguage(state.language);
    keepLanguage(state.language);
    translate(state.language);
    changed();
  });
}
byId('skip', HTMLAnchorElement).addEventListener('click', (event) => {
  event.preventDefault(); // the address says which talk is open
  (state.me === undefined ? byId('username', HTMLInputElement) : text).focus();
});
document.addEventListener('click', (event) => {
  const link = (event.target as Element).closest<HTMLAnchorElement>('a[href^="#/"]');
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // a tab of its own, a download
  event.preventDefault();
  go(link.hash);
});
addEventListener('hashchange', () => {
  if (addressed() !== state.open) arrive();
});
addEventListener('online', () => listening?.stream.reconnect());
document.addEventListener('visibilitychange', changed);
isWide.addEventListener('change', follow);

translate(state.language);
changed();
const kept = storage.get();
if (kept && !(await claim(kept.id))) {
  storage.clear();
  keepUnfinished(undefined);
  state.notice = 'noticeCopied';
  changed();
} else await parley.restore();
