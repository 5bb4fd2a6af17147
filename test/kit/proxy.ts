/** The test Redis behind a proxy that can misbehave; it closes when the test ends. */
import { inject, onTestFinished } from 'vitest';
import { openProxy, type TcpProxy } from './tcp-proxy.ts';

export async function redisProxy(target = inject('redisUrl')): Promise<TcpProxy> {
  const proxy = await openProxy(target.startsWith('/') ? target : Number(new URL(target).port));
  onTestFinished(() => proxy.close());
  return proxy;
}
