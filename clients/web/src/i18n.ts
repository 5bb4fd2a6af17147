/** What the page says, in its languages. Every language has every word: the types say so. */

const en = {
  language: 'English',
  skip: 'Skip to the message field',
  tagline: 'Talk to everybody here, or to one.',
  username: 'Username',
  usernameHint: 'Up to 32 letters, digits, dots, dashes',
  password: 'Password',
  passwordHint: 'At least 8 characters',
  login: 'Log in',
  register: 'Create account',
  logout: 'Log out',
  reference: 'API reference',
  sidebar: 'Conversations and people',
  findLabel: 'Find or write to somebody',
  findHint: 'Write to…',
  find: 'Open',
  conversations: 'Conversations',
  everybody: 'Everybody',
  online: 'Online',
  you: 'you',
  nobodyElse: 'Nobody else is here yet. Open a second window and log in as somebody else.',
  noMatch: 'Nobody online has that name. Press Enter to write to them anyway.',
  tooMany: 'Too many to list. Write a name above.',
  messages: 'Messages',
  back: 'Back to conversations',
  stalePeople: 'As it was when the connection broke',
  staleOne: 'Whether they are online is not known without a connection.',
  aboutEverybody: 'Everyone who is online reads this',
  isOnline: 'Online',
  isOffline: 'Offline. Messages wait until they are back.',
  lastSeen: 'Last seen {time}. Messages wait until they are back.',
  emptyEverybody: 'Nothing has been said yet. Say hello.',
  emptyDirect: 'No messages with {name} yet.',
  beginning: 'The beginning',
  loading: 'Loading…',
  loadFailed: 'The messages could not be loaded.',
  newer: 'New messages',
  unread: 'unread: {n}',
  compose: 'Message to {name}',
  send: 'Send',
  tooLong: '{n} characters too long',
  charactersLeft: '{n} characters left',
  sending: 'Sending…',
  notSent: 'Not sent. {reason}',
  again: 'Try again',
  discard: 'Discard',
  me: 'You',
  saidTo: '{name}: {text}',
  connecting: 'Connecting…',
  connected: 'Connected',
  waiting: 'No connection.',
  nextTry: 'Next try in {n} s',
  now: 'Try now',
  replaced: 'You are logged in in too many places. This window no longer listens.',
  refused: 'The server does not let this window listen.',
  listen: 'Listen here',
  missed: 'Some messages did not come live. The talks show what the server has of them.',
  understood: 'All right',
  noticeEnded: 'Your login has ended. Please log in again.',
  noticeCopied: 'This window is a copy of another one, which keeps its login. Log in here too.',
  problemCredentials: 'There is no such user, or the password is wrong. You can also create an account.',
  problemTaken: 'This username is taken.',
  problemTooMany: 'Too many attempts. Wait a little.',
  problemUnknownUser: 'There is nobody with this username.',
  problemUnreachable: 'The server does not answer.',
  problemUnavailable: 'The server cannot do this right now.',
  problemInvalid: 'The server does not accept this.',
  problemUsername:
    'A username has 1 to 32 letters, digits, dots, dashes, underscores, and begins with a letter or digit.',
  problemPasswordGuessed:
    'This password would be guessed: it is very common, your username, or one repeated character. Choose another.',
  problemPassword: 'A password has 8 to 72 bytes: 8 to 72 Latin letters, or up to 24 Chinese characters.',
  problemLoggedOut: 'You are logged out.',
  problemOther: 'That did not work.',
};

export type Word = keyof typeof en;

const zh: Record<Word, string> = {
  language: '中文',
  skip: '跳到输入框',
  tagline: '和大家聊，或只和一个人聊。',
  username: '用户名',
  usernameHint: '最多 32 个字母、汉字、数字、点或横线',
  password: '密码',
  passwordHint: '至少 8 个字符',
  login: '登录',
  register: '注册',
  logout: '退出登录',
  reference: 'API 文档',
  sidebar: '会话与在线用户',
  findLabel: '找人聊天',
  findHint: '写给…',
  find: '打开',
  conversations: '会话',
  everybody: '所有人',
  online: '在线',
  you: '我',
  nobodyElse: '还没有别人。再开一个窗口，用另一个名字登录试试。',
  noMatch: '没有叫这个名字的在线用户。按回车键仍可给对方留言。',
  tooMany: '在线人数太多，无法列出。请在上面输入用户名。',
  messages: '消息',
  back: '返回会话列表',
  stalePeople: '连接断开前的情况',
  staleOne: '没有连接，无法知道对方是否在线。',
  aboutEverybody: '所有在线的人都能看到',
  isOnline: '在线',
  isOffline: '离线。消息会保留到对方上线。',
  lastSeen: '上次在线：{time}。消息会保留到对方上线。',
  emptyEverybody: '还没有人说话。打个招呼吧。',
  emptyDirect: '和 {name} 还没有消息。',
  beginning: '从这里开始',
  loading: '加载中…',
  loadFailed: '消息加载失败。',
  newer: '有新消息',
  unread: '未读：{n}',
  compose: '发给{name}的消息',
  send: '发送',
  tooLong: '超出 {n} 个字',
  charactersLeft: '还可输入 {n} 个字',
  sending: '发送中…',
  notSent: '未发送。{reason}',
  again: '重试',
  discard: '丢弃',
  me: '我',
  saidTo: '{name}：{text}',
  connecting: '连接中…',
  connected: '已连接',
  waiting: '连接已断开。',
  nextTry: '{n} 秒后重试',
  now: '立即重试',
  replaced: '您在太多地方登录，此窗口不再接收消息。',
  refused: '服务器不允许此窗口接收消息。',
  listen: '在此接收',
  missed: '有些消息未能即时送达。会话中显示服务器保留的内容。',
  understood: '知道了',
  noticeEnded: '登录已失效，请重新登录。',
  noticeCopied: '此窗口是另一个窗口的副本，登录保留在原窗口。请在此重新登录。',
  problemCredentials: '用户不存在或密码错误。您也可以注册新用户。',
  problemTaken: '用户名已被占用。',
  problemTooMany: '操作太频繁，请稍候。',
  problemUnknownUser: '没有这个用户。',
  problemUnreachable: '服务器没有响应。',
  problemUnavailable: '服务器暂时无法处理。',
  problemInvalid: '服务器不接受此内容。',
  problemUsername: '用户名为 1 到 32 个字母、汉字、数字、点、横线或下划线，且以字母、汉字或数字开头。',
  problemPasswordGuessed: '这个密码太容易被猜到：过于常见、与用户名相同，或只是重复同一个字符。请换一个。',
  problemPassword: '密码为 8 到 72 个字节：8 到 72 个英文字母，或最多 24 个汉字。',
  problemLoggedOut: '您已退出登录。',
  problemOther: '操作失败。',
};

const LANGUAGES = { en, zh };
export type Language = keyof typeof LANGUAGES;

const KEY = 'parley.language';

/** What was chosen here before, else what the browser prefers. */
export function firstLanguage(): Language {
  const chosen = attempt(() => localStorage.getItem(KEY));
  if (chosen === 'en' || chosen === 'zh') return chosen;
  return navigator.language.toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export const keepLanguage = (language: Language): void =>
  void attempt(() => localStorage.setItem(KEY, language));

/** A browser may keep its storage from a page. */
function attempt<T>(task: () => T): T | undefined {
  try {
    return task();
  } catch {
    return undefined;
  }
}

export const otherLanguage = (language: Language): Language => (language === 'en' ? 'zh' : 'en');

export function say(language: Language, word: Word, values: Record<string, string | number> = {}): string {
  return LANGUAGES[language][word].replace(/\{(\w+)\}/g, (_, name: string) => String(values[name] ?? ''));
}
