/** Where Debian puts its Chromium. Without it the tests of the web page are left out. */
import { existsSync } from 'node:fs';

export const CHROMIUM = '/usr/bin/chromium';
export const hasChromium = existsSync(CHROMIUM);
