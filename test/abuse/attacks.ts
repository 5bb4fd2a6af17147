import type { Attack } from './attack.ts';
import { connections } from './attacks/connections.ts';
import { logins } from './attacks/logins.ts';
import { reads } from './attacks/reads.ts';
import { writes } from './attacks/writes.ts';

export const ATTACKS: Attack[] = [...reads, ...connections, ...logins, ...writes];

export const attackOf = (name: string): Attack | undefined => ATTACKS.find((attack) => attack.name === name);
