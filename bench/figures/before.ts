/**
 * `BEFORE=<dist of an older build> npm run bench before`: this build beside that one, in interleaved runs. Not part of
 * `npm run bench`, which has no older build.
 */
import { startRedis } from '../servers.ts';
import { fanoutAgainst } from './fanout.ts';
import type { Figure } from './index.ts';
import { sendsAgainst } from './sends.ts';

export const before: Figure = async (say) => [
  ...(await sendsAgainst(await startRedis(), [], ['parley before'], say)),
  ...(await fanoutAgainst({ parley: '', 'parley before': '≥ 0.9' }, say)),
];
