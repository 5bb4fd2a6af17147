/** Problem texts in the user's language. The type makes sure that every code has one. */
import type { Problem, ProblemCode } from '@parley-chat/client';
import { createSay, type Language, waitText } from './i18n.ts';
import { sanitizeLine } from './sanitize.ts';

/** `null`: the server's own detail is shown, because it is more specific. */
const PROBLEMS: Record<ProblemCode, readonly [en: string | null, zh: string]> = {
  malformed_json: [null, '请求不是有效的 JSON。'],
  validation_failed: [null, '输入不符合要求。'],
  unauthenticated: ['Please log in again.', '请重新登录。'],
  token_expired: ['Please log in again.', '请重新登录。'],
  session_ended: ['Your session has ended. Please log in again.', '登录已失效，请重新登录。'],
  bad_credentials: [
    'Wrong username or password. New here? Create an account.',
    '用户名或密码错误。还没有账号？请先注册。',
  ],
  bad_refresh_token: ['Your session has ended. Please log in again.', '登录已失效，请重新登录。'],
  bad_ticket: [null, '连接凭证无效或已过期。'],
  unknown_user: ['User not found.', '用户不存在。'],
  unknown_message: [null, '消息不存在。'],
  not_found: [
    'This server does not support the request. Check the address and the server version.',
    '服务器不支持此请求，请检查地址和服务器版本。',
  ],
  method_not_allowed: [null, '服务器不支持此操作。'],
  username_taken: ['This username is taken.', '用户名已被占用。'],
  body_too_large: ['The message is too long.', '内容过长。'],
  unsupported_media_type: [null, '服务器不支持此格式。'],
  misdirected_request: [null, '服务器不接受此主机名。'],
  idempotency_conflict: [null, '重复请求的内容不一致。'],
  too_many_requests: ['Too many attempts. Try again in {wait}.', '操作过于频繁，请 {wait}后再试。'],
  internal: ['Something went wrong on the server. Try again later.', '服务器出错了，请稍后再试。'],
  unavailable: ['The server is temporarily unavailable. Try again later.', '服务器暂时不可用，请稍后再试。'],
  busy: ['Too many people are logging in. Try again in {wait}.', '当前登录人数过多，请 {wait}后再试。'],
  storage_full: ['The storage of the server is full. Try again later.', '服务器存储空间已满，请稍后再试。'],
  quota_exceeded: ['The storage of your account is full.', '你的账号存储空间已满。'],
  mailbox_full: ['Their mailbox is full. Try again later.', '对方未读消息过多，暂时无法接收，请稍后再试。'],
  unreachable: [
    'The server is unreachable. To start one on this machine, run `parley serve`.',
    '无法连接服务器。可运行 `parley serve` 在本机启动一个。',
  ],
  unreadable: [
    'The response is not from a Parley server. Check the address.',
    '响应并非来自 Parley 服务器，请检查地址。',
  ],
  logged_out: ['Please log in first.', '请先登录。'],
};

export function explain(problem: Problem, language: Language): string {
  // A newer server may have more codes, and a hostile one may send anything.
  const [en, zh] = Object.hasOwn(PROBLEMS, problem.code) ? PROBLEMS[problem.code] : [null, problem.code];
  const ownText = language === 'zh' ? zh : en;
  const seconds = 'retryAfterSeconds' in problem ? problem.retryAfterSeconds : 0;
  const inputErrors =
    problem.code === 'validation_failed' && Array.isArray(problem.errors)
      ? problem.errors.map((error) => error?.message ?? '')
      : [];
  const text = String(ownText ?? (inputErrors.length > 0 ? '' : problem.detail)).replace('{wait}', () =>
    waitText(seconds, createSay(language)),
  );
  return sanitizeLine([text, ...inputErrors].filter((each) => each !== '').join(' '));
}

/** Temporary problems: the same request may succeed later. */
const RETRYABLE: ReadonlySet<ProblemCode> = new Set([
  'unreachable',
  'unreadable',
  'unavailable',
  'busy',
  'too_many_requests',
]);
export const isRetryable = ({ code }: Problem): boolean => RETRYABLE.has(code);
