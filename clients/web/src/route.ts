/** Which talk is open stands in the address, `#/everybody` or `#/with/bob`: so that "back" goes back, and a reload stays. */
import { EVERYBODY } from './conversation.ts';

export function readRoute(): string | undefined {
  if (location.hash === '#/everybody') return EVERYBODY;
  const name = /^#\/with\/(.+)$/.exec(location.hash)?.[1];
  if (name === undefined) return undefined;
  try {
    return decodeURIComponent(name);
  } catch {
    return undefined;
  }
}

export const routeTo = (name: string | undefined): string =>
  name === undefined ? '#/' : name === EVERYBODY ? '#/everybody' : `#/with/${encodeURIComponent(name)}`;
