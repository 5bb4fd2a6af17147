/**
 * All texts of the terminal client in English and Chinese, side by side; `{name}` is a placeholder. Texts for problems
 * reported by the server are in problems.ts.
 */
import type { Gap } from '@parley-chat/client';

export type Language = 'en' | 'zh';
export const LANGUAGES: readonly Language[] = ['en', 'zh'];

const TEXTS = {
  comma: [', ', '、'],

  // Before login
  welcome: ['Parley at {server}', 'Parley · {server}'],
  keys: [
    '↑ ↓ to move, Enter to select, Esc to go back, Ctrl-C to quit',
    '↑ ↓ 移动，回车确认，Esc 返回，Ctrl-C 退出',
  ],
  whatNow: ['What would you like to do?', '请选择'],
  logIn: ['Log in', '登录'],
  register: ['Create account', '注册'],
  quit: ['Quit', '退出'],
  username: ['Username', '用户名'],
  password: ['Password', '密码'],
  newPassword: ['Password (8 to 72 bytes)', '设置密码（8 至 72 字节）'],
  passwordAgain: ['Repeat the password', '确认密码'],
  passwordsDiffer: ['The passwords do not match.', '两次输入的密码不一致。'],
  passwordLength: ['Use 8 to 72 bytes.', '密码长度须为 8 至 72 字节。'],
  required: ['This field is required.', '此项不能为空。'],
  stayLoggedIn: ['Stay logged in on this computer?', '在这台电脑上保持登录？'],
  stayNo: ['No, log out when I quit', '否，退出时注销登录'],
  stayYes: ['Yes, save the session to {file}', '是，登录信息保存到 {file}'],
  registered: ['Account created. Welcome, {name}.', '注册成功，欢迎 {name}。'],
  hello: ['Hello, {name}.', '{name}，你好。'],
  retry: ['Try again', '重试'],
  back: ['Back', '返回'],
  bye: ['Goodbye.', '再见。'],
  sessionOver: ['Your session has ended. Please log in again.', '登录已失效，请重新登录。'],
  replaced: [
    'This account is connected in too many places, so this connection was closed. Log in again to use it here.',
    '此账号的连接过多，当前连接已断开。如需在此使用，请重新登录。',
  ],

  // After login
  summary: ['{name} · {count} online', '{name} · {count} 人在线'],
  summaryDisconnected: ['{name} · disconnected, reconnecting …', '{name} · 连接已断开，正在重连…'],
  everybody: ['everybody', '所有人'],
  talkToEverybody: ['Talk to everybody', '群聊'],
  talkToSomebody: ['Message somebody', '私聊'],
  whoIsOnline: ['Who is online', '在线用户'],
  conversations: ['Conversations', '最近聊天'],
  mailbox: ['Mailbox', '未读消息'],
  history: ['History', '聊天记录'],
  logOut: ['Log out', '退出登录'],
  countNew: ['{count} new', '[{count} 条]'],
  toWhom: ['Who would you like to message?', '选择聊天对象'],
  somebodyElse: ['Somebody else …', '输入用户名…'],
  onlineNow: [
    'Others online: {count}. Select somebody to message.',
    '其他在线用户：{count} 人，请选择聊天对象',
  ],
  offline: ['offline', '离线'],
  andMore: ['and {count} more', '另有 {count} 人'],
  nobodyOnline: ['Nobody else is online.', '没有其他人在线。'],
  noConversations: ['No conversations yet.', '暂无聊天。'],
  mailboxEmpty: ['Your mailbox is empty.', '没有未读消息。'],
  noHistory: ['No messages yet.', '暂无聊天记录。'],
  noMore: ['No earlier messages.', '没有更早的消息了。'],
  earlier: ['Earlier messages', '更早的消息'],
  talk: ['Chat', '发消息'],
  historyOf: ['History: {name}', '聊天记录：{name}'],

  // The chat screen
  you: ['you', '我'],
  newMessages: ['New messages', '以下是新消息'],
  nowTo: ['Chatting with {name}. Type /help for commands.', '正在与 {name} 聊天，输入 /help 查看命令。'],
  cameOnline: ['{names} came online', '{names} 上线了'],
  wentOffline: ['{names} went offline', '{names} 下线了'],
  online: ['Online ({count}): {names}', '在线（{count} 人）：{names}'],
  disconnected: [
    'Disconnected from the server. You can keep typing: messages are queued and sent after reconnecting.',
    '连接已断开。可以继续输入，重新连接后会自动发送。',
  ],
  reconnected: ['Reconnected.', '已重新连接。'],
  stateDisconnected: ['{name} (disconnected)', '{name}（已断开）'],
  stateQueued: ['{name} (disconnected, {count} queued)', '{name}（已断开，{count} 条待发送）'],
  slowDown: ['Too many messages. The next one is sent in {wait}.', '发送过于频繁，{wait}后继续发送。'],
  notSent: ['Not sent: {text} ({reason})', '未发送：{text}（{reason}）'],
  unsent: ['Not sent, because the server was unreachable:', '无法连接服务器，以下消息未发送：'],
  tooLong: ['Too long: {count} characters. The limit is 4,000.', '消息过长：{count} 个字符，最多 4000 个。'],
  gap: [
    'Some messages are missing: {reason}. The history has those that are still stored.',
    '部分消息未收到：{reason}。可在聊天记录中查看。',
  ],
  gapOverflow: ['the mailbox was full', '未读消息已满'],
  gapReplayLimit: ['too many were sent while you were away', '离线期间消息过多'],
  gapTrimmed: ['they are too old', '消息过旧'],
  gapLost: ['the server has lost data', '服务器丢失了数据'],
  gapUnknown: ['the server does not know where you left off', '服务器无法确定上次接收的位置'],
  seconds: ['{count} s', '{count} 秒'],
  minutes: ['{count} min', '{count} 分钟'],
  hours: ['{count} h', '{count} 小时'],
  unknownCommand: [
    'Unknown command: {name}. Type /help for a list.',
    '没有 {name} 命令，输入 /help 查看全部命令。',
  ],
  needsName: ['Type a username after /dm.', '请在 /dm 后输入用户名。'],
  helpOnline: ['show who is online', '查看在线用户'],
  helpDm: ['chat with one user, or send a single message', '私聊，或只发一条消息'],
  helpAll: ['chat with everybody, or send a single message', '群聊，或只发一条消息'],
  helpHistory: ['show earlier messages; repeat for more', '查看更早的消息，可重复使用'],
  helpMailbox: ['show unread messages', '查看未读消息'],
  helpMenu: ['return to the menu', '返回菜单'],
  helpHelp: ['show this list', '显示命令列表'],
  helpQuit: ['quit (also Ctrl-C or Ctrl-D)', '退出（也可按 Ctrl-C 或 Ctrl-D）'],
  helpSlash: ['send a message that starts with /', '发送以 / 开头的消息'],

  // The command line
  needsTerminal: [
    '`parley chat` needs a terminal. In scripts and pipes, use `parley send` and `parley listen`.',
    '`parley chat` 需要在终端中运行。脚本和管道请使用 `parley send` 和 `parley listen`。',
  ],
  needsPassword: [
    'There is no terminal to ask for the password. Set PARLEY_PASSWORD.',
    '没有可输入密码的终端，请设置 PARLEY_PASSWORD。',
  ],
  needsUsername: [
    'You are not logged in. Pass --username, or log in with `parley chat` and stay logged in.',
    '尚未登录。请使用 --username，或用 `parley chat` 登录并保持登录。',
  ],
  needsText: [
    'There is no text to send. Pass it as an argument or through a pipe.',
    '没有要发送的内容。请写在命令中，或通过管道输入。',
  ],
  ended: ['The event stream has ended ({reason}).', '事件流已结束（{reason}）。'],
  tryHelp: ['Run `parley --help` for usage.', '用法见 `parley --help`。'],
} as const satisfies Record<string, readonly [en: string, zh: string]>;

export type TextKey = keyof typeof TEXTS;
export type Say = (key: TextKey, values?: Record<string, string | number>) => string;

export function createSay(language: Language): Say {
  const column = LANGUAGES.indexOf(language);
  return (key, values = {}) =>
    TEXTS[key][column]!.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

const GAP_REASONS: Record<Gap['reason'], TextKey> = {
  overflow: 'gapOverflow',
  replay_limit: 'gapReplayLimit',
  trimmed: 'gapTrimmed',
  lost: 'gapLost',
  epoch: 'gapLost',
  future: 'gapLost',
  unreadable: 'gapUnknown',
};

/** A newer server may have more reasons, and a hostile one may send anything. */
export function gapText(reason: Gap['reason'], say: Say): string {
  const key = Object.hasOwn(GAP_REASONS, reason) ? GAP_REASONS[reason] : 'gapUnknown';
  return say('gap', { reason: say(key) });
}

/** A wait in the largest unit of which there are at least two, rounded up. */
export function waitText(seconds: number, say: Say): string {
  if (seconds < 120) return say('seconds', { count: seconds });
  if (seconds < 7_200) return say('minutes', { count: Math.ceil(seconds / 60) });
  return say('hours', { count: Math.ceil(seconds / 3_600) });
}

/** The language for a locale such as `zh_CN.UTF-8`. The default is English. */
export const languageOf = (locale: string | undefined): Language =>
  locale?.toLowerCase().startsWith('zh') ? 'zh' : 'en';
