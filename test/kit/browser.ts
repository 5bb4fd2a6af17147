/**
 * Debian's Chromium, driven by playwright-core, and people who chat in it. Each window has a storage of its own, as
 * another browser would. A window that asks another host, breaks the page's policy or throws fails its test.
 */
import { type Browser, type BrowserContextOptions, chromium, type Locator, type Page } from 'playwright-core';
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest';
import { CHROMIUM } from './chromium.ts';
import { within } from './patience.ts';

export const PASSWORD = 'correct horse battery';

const QUIET = [
  '--headless',
  '--no-sandbox', // CI runs as root
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];
/** Messages of the browser itself about a failed request; the page reports those failures to its user. */
const EXPECTED = /^Failed to load resource/;

/** One browser for all tests of a file. */
export function sharedBrowser(): () => Browser {
  let browser: Browser;
  beforeAll(async () => {
    browser = await chromium.launch({ executablePath: CHROMIUM, args: QUIET });
  });
  afterAll(() => browser.close());
  return () => browser;
}

export type Window = Page & { complaints: string[] };

/** A window on Parley's front door. English and 1100 × 720, unless the test is about that. */
export async function openWindow(
  browser: Browser,
  { url }: { url: string },
  options: BrowserContextOptions = {},
): Promise<Window> {
  const context = await browser.newContext({
    viewport: { width: 1100, height: 720 },
    locale: 'en-GB',
    ...options,
  });
  context.setDefaultTimeout(within(30_000));
  const page = await context.newPage();
  const complaints = watch(page, url);
  onTestFinished(async () => {
    await context.close();
    expect(complaints).toEqual([]);
  });
  await page.goto(url);
  return Object.assign(page, { complaints });
}

export function watch(page: Page, url: string): string[] {
  const complaints: string[] = [];
  page.on('request', (request) => {
    if (!request.url().startsWith(`${url}/`)) complaints.push(`asked ${request.url()}`);
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('dialog', (dialog) => complaints.push(`a dialog: ${dialog.message()}`));
  page.on('console', (message) => {
    if (message.type() === 'error' && !EXPECTED.test(message.text())) complaints.push(message.text());
  });
  return complaints;
}

/** Through the form, as a newcomer does it. */
export async function register(page: Page, username: string): Promise<void> {
  await fillDoor(page, username);
  await page.getByRole('button', { name: 'Create account' }).click();
  await connected(page);
}

export async function logIn(page: Page, username: string): Promise<void> {
  await fillDoor(page, username);
  await page.getByRole('button', { name: 'Log in' }).click();
  await connected(page);
}

async function fillDoor(page: Page, username: string): Promise<void> {
  await page.getByLabel('Username').fill(username);
  await page.getByLabel('Password').fill(PASSWORD);
}

export const connected = (page: Page): Promise<void> =>
  page.getByText('Connected', { exact: true }).waitFor();

export async function write(page: Page, text: string): Promise<void> {
  await page.getByRole('textbox', { name: /^Message to/ }).fill(text);
  await page.keyboard.press('Enter');
}

/** The list of messages that is open. */
export const messages = (page: Page): Locator => page.locator('#messages');
export const message = (page: Page, text: string): Locator =>
  messages(page).locator('.text').getByText(text, { exact: true });
export const sees = (page: Page, text: string): Promise<void> => message(page, text).waitFor();

export const open = (page: Page, name: string): Promise<void> =>
  page.locator(`#talks a[href="${name === 'Everybody' ? '#/everybody' : `#/with/${name}`}"]`).click();

export async function writeTo(page: Page, name: string): Promise<void> {
  await page.getByRole('searchbox').fill(name);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name, level: 1 }).waitFor();
}
