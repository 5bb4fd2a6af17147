/** The figures by name, in the order in which they are measured. Loaded late: they import what `build` makes. */
import type { Row } from '../report.ts';

export type Figure = (say: (line: string) => void) => Promise<Row[]>;

export const figures: Record<string, () => Promise<Figure>> = {
  sends: async () => (await import('./sends.ts')).sends,
  fanout: async () => (await import('./fanout.ts')).fanout,
  spread: async () => (await import('./spread.ts')).spread,
  dm: async () => (await import('./dm.ts')).dm,
  memory: async () => (await import('./memory.ts')).memory,
  growth: async () => (await import('./growth.ts')).growth,
};
