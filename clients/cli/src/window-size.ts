/** Some terminals, such as CI consoles, report a size of 0: it must not reach anything that computes a layout. */
import type { WriteStream } from 'node:tty';

const DEFAULTS = { columns: 80, rows: 24 } as const;

/** Makes the stream report 80 columns and 24 rows where the terminal reports 0, also after a resize. */
export function withDefaultSize<Output extends Pick<WriteStream, 'columns' | 'rows'>>(
  output: Output,
): Output {
  for (const side of ['columns', 'rows'] as const) {
    let reported = output[side];
    Object.defineProperty(output, side, {
      get: () => (reported === 0 ? DEFAULTS[side] : reported),
      set: (size: number) => {
        reported = size;
      },
    });
  }
  return output;
}
