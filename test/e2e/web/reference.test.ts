/** The reference at /docs as people use it: every call with its sample, tried against this server, and nothing else. */
import { expect, test } from 'vitest';
import { loadContract } from '../../../src/http/openapi.ts';
import { person, startNode, tell } from '../../kit/app.ts';
import { openWindow, PASSWORD, sharedBrowser, type Window } from '../../kit/browser.ts';
import { underPath } from '../../kit/sub-path.ts';

const theBrowser = sharedBrowser();
const { document: contract } = loadContract();
const operations = Object.entries(contract.paths).flatMap(([path, item]) =>
  Object.values(item).map((operation) => ({
    path,
    operationId: operation.operationId,
    samples: (operation as { 'x-codeSamples'?: { label: string; source: string }[] })['x-codeSamples'],
  })),
);

async function openReference(page: Window, at = ''): Promise<void> {
  await page.goto(`${new URL(page.url()).origin}/docs${at}`);
  await page.locator('.opblock').first().waitFor();
}

const blockOf = (page: Window, operationId: string) => page.locator(`.opblock[id$="-${operationId}"]`);

/** Opens an operation, executes it, closes it, and returns the status and the body of the response. */
async function execute(page: Window, operationId: string, body?: object): Promise<[string, string]> {
  const operation = blockOf(page, operationId);
  const summary = operation.locator('.opblock-summary-control');
  await summary.click();
  if (body) await operation.locator('textarea.body-param__text').fill(JSON.stringify(body));
  await operation.getByRole('button', { name: 'Execute' }).click();
  const row = operation.locator('.live-responses-table .response').first();
  await row.waitFor();
  const response: [string, string] = [
    await row.locator('.response-col_status').innerText(),
    await row.locator('.response-col_description').innerText(),
  ];
  await summary.click(); // Swagger UI renders all open operations again at every change
  return response;
}

test('a call is tried here and now: log in, and the calls after it are yours, the stream too', async () => {
  const node = await startNode();
  const bob = await person(node, 'bob');
  await person(node, 'alice');
  await tell(bob, 'alice', 'Read this in the reference');
  const page = await openWindow(theBrowser(), node);
  await openReference(page);
  expect((await execute(page, 'getMe'))[0]).toContain('401');
  const [status] = await execute(page, 'login', { username: 'alice', password: PASSWORD });
  expect(status).toContain('200');
  await page.getByText('Logged in as alice.').waitFor();
  const [, mailbox] = await execute(page, 'getMailbox');
  expect(mailbox).toContain('Read this in the reference');
  const [, stream] = await execute(page, 'openStream');
  expect(stream).toMatch(/event: ready.*event: dm.*Read this in the reference/s);
});

test('every operation of the contract has a curl sample with its path', () => {
  expect(operations.length).toBeGreaterThan(15);
  for (const { operationId, path, samples } of operations) {
    expect(samples?.[0], operationId).toMatchObject({ label: 'curl' });
    expect(samples![0]!.source, operationId).toContain(path.replace(/\{.*/, ''));
  }
});

test('operations show how they are called with curl, at the address of this server', async () => {
  const node = await startNode();
  const page = await openWindow(theBrowser(), node);
  await openReference(page);
  for (const [operationId, path] of [
    ['listBroadcasts', '/v1/broadcasts'],
    ['sendDirect', '/v1/dm/'],
    ['openStream', '/v1/events'],
  ] as const) {
    await blockOf(page, operationId).locator('.opblock-summary-control').click();
    const sample = blockOf(page, operationId).locator('.sample').first();
    await sample.waitFor();
    expect(await sample.locator('h4').textContent(), operationId).toBe('curl');
    expect(await sample.locator('code').innerText(), operationId).toContain(`${node.url}${path}`);
  }
});

test.each([
  ['light', 1100],
  ['dark', 1100],
  ['dark', 360],
] as const)(
  'each event of the stream is described, to be read in the %s scheme at %i px',
  async (colorScheme, width) => {
    const page = await openWindow(theBrowser(), await startNode(), {
      colorScheme,
      viewport: { width, height: 740 },
    });
    await openReference(page, '#/stream/openStream');
    const table = page.locator('.opblock.is-open .renderedMarkdown table').first();
    await table.waitFor();
    const { StreamEvent } = contract.components['schemas'] as {
      StreamEvent: { discriminator: { mapping: object } };
    };
    const kinds = Object.keys(StreamEvent.discriminator.mapping);
    expect(await table.locator('tbody td:first-child').allInnerTexts()).toEqual(kinds);
    // It was dark grey on dark blue: only the sheet of the library knew of tables.
    const colors = await page.evaluate(`['td:nth-child(2)', 'th'].map((cell) =>
    getComputedStyle(document.querySelector('.opblock.is-open .renderedMarkdown table ' + cell)).color)`);
    expect(new Set(colors as string[]).size).toBe(1);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width);
  },
);

test('under a path it works as at the root, and so does the page', async () => {
  const node = await startNode();
  await person(node, 'alice');
  const base = await underPath(node.url, '/chat/');
  const page = await openWindow(theBrowser(), { url: new URL(base).origin });
  await page.goto(`${base}docs`);
  await page.locator('.opblock').first().waitFor();
  await execute(page, 'login', { username: 'alice', password: PASSWORD });
  await page.getByText('Logged in as alice.').waitFor();
  expect((await execute(page, 'openStream'))[1]).toContain('event: ready');

  await page.goto(base);
  await page.getByLabel('Username').fill('alice');
  await page.getByLabel('Password').fill(PASSWORD);
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { name: 'Everybody', level: 1 }).waitFor();
  await page.reload();
  await page.getByRole('heading', { name: 'Everybody', level: 1 }).waitFor();
  expect(new URL(page.url()).pathname).toBe('/chat/');
});
