/** `RUNS=2 npm run bench`: fewer runs than a figure usually takes, for a first look. */
export const runsOf = (usual: number): number => Number(process.env['RUNS'] ?? usual);

/** The order of `count` subjects in one run: nobody is always the first, nobody always comes after the same one. */
export function orderOf(run: number, count: number): number[] {
  const order = Array.from({ length: count }, (_, i) => (i + (run >> 1)) % count);
  return run % 2 ? order.reverse() : order;
}
