/** What `parley --help` says. */
import type { Language } from './i18n.ts';

/** How the process ends; scripts decide by it. */
export const EXIT = {
  done: 0,
  refused: 1,
  wrongUse: 2,
  notLoggedIn: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

export const HELP: Record<Language, string> = {
  en: `
  parley [chat]                          chat in this terminal
  parley send (--to NAME | --all) [TEXT] send one message; without TEXT, what comes in by a pipe
  parley listen [--json] [--no-ack]      print what comes, one line each, until Ctrl-C
  parley serve                           start a server; its settings are environment variables

  --server URL      where the server is (or PARLEY_SERVER); http://127.0.0.1:3000 unless given
  --lang en|zh      language; otherwise as LC_ALL, LC_MESSAGES and LANG say
  --username NAME   send, listen: who you are; the password comes from PARLEY_PASSWORD, or is asked for.
                    Without it: the login that chat keeps, if you stay logged in
  --json            events, or the message that was sent, as JSON
  --no-ack          leave the messages in the mailbox: they come again next time
  -h, --help        this
  -V, --version     the version

  read -rs PARLEY_PASSWORD; export PARLEY_PASSWORD
  echo 'Lunch?' | parley send --username alice --to bob

  Exit codes: 0 done · 1 refused by the server · 2 wrong use · 3 not logged in · 4 the server does not answer ·
              130 listen: interrupted
`,
  zh: `
  parley [chat]                          在终端中聊天
  parley send (--to 用户名 | --all) [内容] 发送一条消息；不写内容则读取管道输入
  parley listen [--json] [--no-ack]      每行输出一个事件，按 Ctrl-C 结束
  parley serve                           启动服务器；通过环境变量设置

  --server URL      服务器地址（或 PARLEY_SERVER），默认 http://127.0.0.1:3000
  --lang en|zh      界面语言；默认取自 LC_ALL、LC_MESSAGES、LANG
  --username 用户名 用于 send 和 listen；密码取自 PARLEY_PASSWORD，或在终端中输入。
                    不写则使用 chat 中保持的登录
  --json            以 JSON 输出事件或已发送的消息
  --no-ack          不确认消息：下次仍会收到
  -h, --help        显示本帮助
  -V, --version     显示版本

  read -rs PARLEY_PASSWORD; export PARLEY_PASSWORD
  echo '吃饭了吗？' | parley send --username alice --to bob

  退出码：0 完成 · 1 服务器拒绝 · 2 用法错误 · 3 未登录 · 4 服务器没有响应 · 130 listen 被中断
`,
};
