/**
 * Every word that the terminal client says, in English and Chinese, side by side in one table; `{name}` stands for a
 * value. What the server says is not here (see problems.ts), and neither is what people write.
 */
export type Language = 'en' | 'zh';
export const LANGUAGES: readonly Language[] = ['en', 'zh'];

const TEXTS = {
  // Before login
  welcome: ['Parley at {server}', 'Parley：{server}'],
  keys: ['↑ ↓ and Enter choose, Esc goes back, Ctrl-C leaves', '↑ ↓ 和回车选择，Esc 返回，Ctrl-C 退出'],
  whatNow: ['What would you like to do?', '您想做什么？'],
  logIn: ['Log in', '登录'],
  register: ['Register', '注册'],
  quit: ['Quit', '退出'],
  username: ['Username', '用户名'],
  password: ['Password', '密码'],
  newPassword: ['Password (8 to 72 bytes)', '密码（8 到 72 字节）'],
  passwordAgain: ['The password once more', '再次输入密码'],
  passwordsDiffer: ['The two passwords differ.', '两次输入的密码不同。'],
  passwordLength: ['8 to 72 bytes, please.', '密码须为 8 到 72 字节。'],
  needed: ['Something is needed here.', '此项不能为空。'],
  stay: ['Stay logged in on this computer?', '在这台电脑上保持登录？'],
  stayNo: ['No, log out when I leave', '不，退出时注销'],
  stayYes: ['Yes, keep a key in {file}', '是，登录凭据存于 {file}'],
  registered: ['Registered. Welcome, {name}.', '注册成功，欢迎 {name}。'],
  hello: ['Hello {name}.', '{name}，您好。'],
  again: ['Try again', '重试'],
  back: ['Back', '返回'],
  bye: ['Goodbye.', '再见。'],
  sessionOver: ['The session has ended. Please log in again.', '会话已结束，请重新登录。'],
  replaced: [
    'Too many connections of this account: this one was closed.',
    '此账号的连接过多，本连接已被关闭。',
  ],

  // After login
  summary: ['{name} · {count} online', '{name} · 在线 {count} 人'],
  summaryAway: ['{name} · no connection, trying again', '{name} · 连接已断开，正在重试'],
  everybody: ['everybody', '所有人'],
  talkToEverybody: ['Talk to everybody', '群聊'],
  talkToSomebody: ['Message somebody', '私聊'],
  whoIsOnline: ['Who is online', '在线用户'],
  conversations: ['Conversations', '会话'],
  mailbox: ['Mailbox', '信箱'],
  history: ['History', '历史消息'],
  logOut: ['Log out', '注销'],
  countNew: ['{count} new', '{count} 条新消息'],
  toWhom: ['To whom?', '发给谁？'],
  somebodyElse: ['Somebody else …', '其他人 …'],
  onlineNow: [
    'Others online: {count}. Choose somebody to talk to.',
    '其他在线用户 {count} 人，选择一人开始聊天。',
  ],
  offline: ['offline', '已离线'],
  andMore: ['and {count} more', '还有 {count} 人'],
  nobodyOnline: ['Nobody else is online.', '没有其他人在线。'],
  noConversations: ['No conversations yet.', '还没有会话。'],
  mailboxEmpty: ['The mailbox is empty.', '信箱是空的。'],
  noHistory: ['Nothing was said here yet.', '这里还没有消息。'],
  noMore: ['That was the beginning.', '没有更早的消息了。'],
  earlier: ['Earlier', '更早的消息'],
  talk: ['Talk', '聊天'],
  historyOf: ['history: {name}', '历史消息：{name}'],

  // The chat screen
  you: ['you', '我'],
  newMessages: ['new', '新消息'],
  nowTo: [
    'You are talking to {name}. /help shows what else there is.',
    '正在与 {name} 聊天。输入 /help 查看帮助。',
  ],
  came: ['{names} came online', '{names} 上线了'],
  went: ['{names} went offline', '{names} 下线了'],
  online: ['online ({count}): {names}', '在线（{count}）：{names}'],
  away: [
    'No connection to the server. Write on: what you send is kept, and sent when it is back.',
    '与服务器的连接已断开。您可以继续输入：消息会保留，恢复后自动发送。',
  ],
  isBack: ['The connection is back.', '连接已恢复。'],
  stateAway: ['{name} (away)', '{name}（断线）'],
  stateWaiting: ['{name} (away, {count} waiting)', '{name}（断线，{count} 条待发）'],
  slowDown: [
    'Too many messages at once: the next one goes in {seconds} s.',
    '发送过快：{seconds} 秒后继续发送。',
  ],
  notSent: ['Not sent: {text} ({reason})', '未发送：{text}（{reason}）'],
  unsent: ['Not sent, the server did not come back:', '服务器未恢复，以下消息未发送：'],
  tooLong: ['{count} characters; a message may have 4,000.', '共 {count} 个字符，每条消息最多 4000 个。'],
  missing: [
    'Some messages are missing here ({reason}). /history shows what is kept.',
    '部分消息缺失（{reason}）。/history 可查看保留的消息。',
  ],
  unknownCommand: [
    '{name} is not a command. /help shows them all.',
    '没有 {name} 这个命令。输入 /help 查看全部命令。',
  ],
  needsName: ['Whom? Write /dm and a name.', '发给谁？请输入 /dm 和用户名。'],
  helpOnline: ['who is online', '查看在线用户'],
  helpDm: ['talk to one person, or send just one message', '与某人聊天，或只发一条消息'],
  helpAll: ['talk to everybody', '群聊'],
  helpHistory: ['what was said here; again for what was before', '查看历史消息；再次输入查看更早的'],
  helpMailbox: ['messages that you have not seen', '查看未读消息'],
  helpMenu: ['back to the menu', '返回菜单'],
  helpHelp: ['this', '显示本帮助'],
  helpQuit: ['leave (also Ctrl-C and Ctrl-D)', '退出（也可按 Ctrl-C 或 Ctrl-D）'],
  helpSlash: ['a text that begins with /', '以 / 开头的消息'],

  // Commands
  needsTerminal: [
    'chat needs a terminal. For pipes there are `parley send` and `parley listen`.',
    'chat 需要终端。管道请用 `parley send` 和 `parley listen`。',
  ],
  needsPassword: [
    'Set PARLEY_PASSWORD: there is no terminal to ask on.',
    '请设置 PARLEY_PASSWORD：没有终端可供输入密码。',
  ],
  needsUsername: [
    'Who are you? Give --username, or log in with `parley chat` and stay logged in.',
    '请指定 --username，或用 `parley chat` 登录并保持登录。',
  ],
  needsText: ['There is no text to send.', '没有要发送的内容。'],
  ended: ['The stream has ended: {reason}', '事件流已结束：{reason}'],
  tryHelp: ['`parley --help` shows how.', '用法见 `parley --help`。'],
} as const satisfies Record<string, readonly [en: string, zh: string]>;

export type TextKey = keyof typeof TEXTS;
export type Say = (key: TextKey, values?: Record<string, string | number>) => string;

export function createSay(language: Language): Say {
  const column = LANGUAGES.indexOf(language);
  return (key, values = {}) =>
    TEXTS[key][column]!.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** From what LANG and its kin say: `zh_CN.UTF-8` is Chinese; what is not known is English. */
export const languageOf = (locale: string | undefined): Language =>
  locale?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
