/** Problems in the reader's language. The set is closed: a code without words does not compile. */
import type { Problem, ProblemCode } from '../client/index.ts';
import type { Language } from './i18n.ts';
import { sanitizeLine } from './sanitize.ts';

/** `null`: the server's own words say more than ours could. */
const PROBLEMS: Record<ProblemCode, readonly [en: string | null, zh: string]> = {
  malformed_json: [null, '请求不是有效的 JSON。'],
  validation_failed: [null, '输入不符合要求。'],
  unauthenticated: ['Please log in again.', '请重新登录。'],
  token_expired: ['Please log in again.', '请重新登录。'],
  session_ended: ['The session has ended. Please log in again.', '会话已结束，请重新登录。'],
  bad_credentials: [
    'No such user, or a wrong password. You may also register.',
    '用户不存在或密码错误。您也可以注册。',
  ],
  bad_refresh_token: ['The session has ended. Please log in again.', '会话已结束，请重新登录。'],
  bad_ticket: [null, '凭证无效。'],
  unknown_user: ['Nobody has this name.', '没有这个用户。'],
  unknown_message: [null, '没有这条消息。'],
  not_found: ['This is not a Parley server, or an older one.', '这不是 Parley 服务器，或版本过旧。'],
  method_not_allowed: [null, '服务器不支持此操作。'],
  username_taken: ['Somebody has this name already.', '用户名已被占用。'],
  body_too_large: ['The text is too long.', '内容过长。'],
  unsupported_media_type: [null, '服务器不接受此格式。'],
  misdirected_request: [null, '服务器不接受此主机名。'],
  idempotency_conflict: [null, '重复的请求内容不一致。'],
  too_many_requests: [
    'Too many attempts. Try again in {seconds} s.',
    '尝试过于频繁，请在 {seconds} 秒后重试。',
  ],
  internal: ['Something went wrong in the server.', '服务器内部错误。'],
  unavailable: ['The server cannot answer at the moment.', '服务器暂时无法响应。'],
  busy: [
    'Too many people log in at once. Try again in {seconds} s.',
    '登录人数过多，请在 {seconds} 秒后重试。',
  ],
  storage_full: ['The server has no room for more at the moment.', '服务器存储空间已满，请稍后重试。'],
  quota_exceeded: ['Your messages fill the storage of your account.', '你的账号存储空间已用完。'],
  mailbox_full: ['Their mailbox is full.', '对方的收件箱已满。'],
  unreachable: [
    'The server does not answer. `parley serve` starts one on this machine.',
    '服务器没有响应。可用 `parley serve` 在本机启动。',
  ],
  unreadable: ['What answers there is not a Parley server.', '该地址不是 Parley 服务器。'],
  logged_out: ['Please log in first.', '请先登录。'],
};

export function explain(problem: Problem, language: Language): string {
  // A newer server may know more codes, and a hostile one may send anything.
  const [en, zh] = Object.hasOwn(PROBLEMS, problem.code) ? PROBLEMS[problem.code] : [null, problem.code];
  const ours = language === 'zh' ? zh : en;
  const seconds = 'retryAfterSeconds' in problem ? problem.retryAfterSeconds : 0;
  const places =
    problem.code === 'validation_failed' && Array.isArray(problem.errors)
      ? problem.errors.map((error) => error?.message ?? '')
      : [];
  const words = String(ours ?? (places.length > 0 ? '' : problem.detail)).replace(
    '{seconds}',
    String(seconds),
  );
  return sanitizeLine([words, ...places].filter((each) => each !== '').join(' '));
}

/** The server is away, or cannot do it now: the same again may succeed. */
const PASSING: ReadonlySet<ProblemCode> = new Set([
  'unreachable',
  'unreadable',
  'unavailable',
  'busy',
  'too_many_requests',
]);
export const isPassing = ({ code }: Problem): boolean => PASSING.has(code);
