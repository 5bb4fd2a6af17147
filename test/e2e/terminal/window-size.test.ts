// Terminals that report a size of 0, as some CI consoles do.
import { describe, expect, test } from 'vitest';
import { withDefaultSize } from '../../../clients/cli/src/window-size.ts';
import { sharedNode } from '../../kit/app.ts';
import { hasTmux, openPane, PARLEY, storedLogin } from '../../kit/pane.ts';

describe.skipIf(!hasTmux)('a terminal that reports 0 columns', () => {
  const node = sharedNode();

  test('gets menus and a chat screen for 80 columns', async () => {
    const stateDir = await storedLogin(node(), 'alice');
    const parley = [...PARLEY, 'chat', '--server', node().url].join(' ');
    const line = `stty cols 0 rows 0; ${parley}`;
    const pane = await openPane([], { stateDir, inShell: true, line });
    await pane.shows('│  ● Talk to everybody\n│  ○ Message somebody\n');
    await pane.keys('Enter');
    await pane.shows('everybody ›');
    const text = 'This message fits on one line of 80 columns, but not 40.';
    await pane.type(`${text}\n`);
    await pane.shows(`you  ${text}`);
    await pane.type('/quit\n');
    await pane.shows('Goodbye.');
  });
});

test('reports 80 columns and 24 rows in place of 0, also after a resize, and any other size unchanged', () => {
  const output = withDefaultSize({ columns: 0, rows: 0 });
  expect(output).toMatchObject({ columns: 80, rows: 24 });
  Object.assign(output, { columns: 132, rows: 50 });
  expect(output).toMatchObject({ columns: 132, rows: 50 });
  Object.assign(output, { columns: 0, rows: 0 });
  expect(output).toMatchObject({ columns: 80, rows: 24 });
});
