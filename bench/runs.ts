/** `RUNS=2 npm run bench`: fewer runs than the default of the figure, for a first look. */
export const runsOf = (defaultRuns: number): number => Number(process.env['RUNS'] ?? defaultRuns);

/** The order of `count` subjects in one run: no subject is always first or always follows the same one. */
export function orderOf(run: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + (run >> 1)) % count);
  return run % 2 ? order.reverse() : order;
}
