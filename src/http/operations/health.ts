/** Probes of the platform that runs this node. */
import { type Price, READ } from '../admission/price-classes.ts';
import type { Operations, Services } from './types.ts';

export const healthPrices = {
  liveness: READ,
  readiness: { ...READ, points: 2 },
} satisfies Record<string, Price>;

export function healthOperations({
  checkReady,
  nodeId,
}: Services): Pick<Operations, keyof typeof healthPrices> {
  return {
    liveness: async () => ({ status: 200, body: { status: 'ok' } }),
    readiness: async () => {
      await checkReady();
      return { status: 200, body: { status: 'ok', redis: 'ok', node: nodeId } };
    },
  };
}
