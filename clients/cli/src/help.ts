/** The text of `parley --help`, and the exit codes that it documents. */
import type { Language } from './i18n.ts';

export const EXIT = {
  success: 0,
  rejected: 1,
  usageError: 2,
  notLoggedIn: 3,
  unreachable: 4,
  interrupted: 130,
} as const;

export const HELP: Record<Language, string> = {
  en: `
  parley [chat]                          chat in this terminal
  parley send (--to NAME | --all) [TEXT] send one message; without TEXT, read it from a pipe
  parley listen [--json] [--no-ack]      print incoming messages, one per line, until Ctrl-C
  parley serve                           start a server, configured by environment variables

  --server URL      server address; default: PARLEY_SERVER, or http://127.0.0.1:3000
  --lang en|zh      language; default: from LC_ALL, LC_MESSAGES or LANG
  --username NAME   send, listen: log in as this user; the password is read from PARLEY_PASSWORD, or asked for.
                    Default: the session saved by \`parley chat\`
  --json            print events, or the sent message, as JSON
  --no-ack          leave messages in the mailbox, to be delivered again next time
  -h, --help        show this help
  -V, --version     show the version

  Example:
  read -rs PARLEY_PASSWORD; export PARLEY_PASSWORD
  echo 'Lunch?' | parley send --username alice --to bob

  Exit codes: 0 success · 1 rejected by the server · 2 usage error · 3 not logged in · 4 server unreachable ·
              130 listen: interrupted
`,
  zh: `
  parley [chat]                          在终端中聊天
  parley send (--to 用户名 | --all) [内容] 发送一条消息；省略内容时从管道读取
  parley listen [--json] [--no-ack]      接收消息，每行一条，按 Ctrl-C 结束
  parley serve                           启动服务器，通过环境变量配置

  --server URL      服务器地址；默认为 PARLEY_SERVER，或 http://127.0.0.1:3000
  --lang en|zh      界面语言；默认取自 LC_ALL、LC_MESSAGES 或 LANG
  --username 用户名 用于 send 和 listen：以该用户登录；密码取自 PARLEY_PASSWORD，或在终端中输入。
                    默认使用 \`parley chat\` 保存的登录
  --json            以 JSON 格式输出事件或已发送的消息
  --no-ack          消息保留为未读，下次仍会收到
  -h, --help        显示帮助
  -V, --version     显示版本

  示例：
  read -rs PARLEY_PASSWORD; export PARLEY_PASSWORD
  echo '吃饭了吗？' | parley send --username alice --to bob

  退出码：0 成功 · 1 被服务器拒绝 · 2 用法错误 · 3 未登录 · 4 无法连接服务器 · 130 listen 被中断
`,
};
