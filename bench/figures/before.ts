/**
 * `BEFORE=<dist of an older build> npm run bench before`: compares this build with an older one in interleaved runs. Not part
 * of a plain `npm run bench`, because it needs the older build.
 */
import { startRedis } from '../servers.ts';
import { fanoutAgainst } from './fanout.ts';
import type { Figure } from './index.ts';
import { sendsAgainst } from './sends.ts';

export const before: Figure = async (log) => [
  ...(await sendsAgainst(await startRedis(), [], ['parley before'], log)),
  ...(await fanoutAgainst({ parley: '', 'parley before': '≥ 0.9' }, log)),
];
