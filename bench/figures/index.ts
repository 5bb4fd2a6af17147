/** The figures by name, in the order of measurement. Loaded lazily, because they import the build. */
import type { Row } from '../report.ts';

export type Figure = (log: (line: string) => void) => Promise<Row[]>;

/** Measured only when requested by name: one takes half an hour, the other needs an older build. */
export const ONLY_BY_NAME = ['soak', 'before'];

export const figures: Record<string, () => Promise<Figure>> = {
  sends: async () => (await import('./sends.ts')).sends,
  fanout: async () => (await import('./fanout.ts')).fanout,
  spread: async () => (await import('./spread.ts')).spread,
  dm: async () => (await import('./dm.ts')).dm,
  memory: async () => (await import('./memory.ts')).memory,
  runtimes: async () => (await import('./runtimes.ts')).runtimes,
  idle: async () => (await import('./idle.ts')).idle,
  logins: async () => (await import('./logins.ts')).logins,
  storm: async () => (await import('./storm.ts')).storm,
  soak: async () => (await import('./soak.ts')).soak,
  before: async () => (await import('./before.ts')).before,
  growth: async () => (await import('./growth.ts')).growth,
  workers: async () => (await import('./workers.ts')).workers,
};
