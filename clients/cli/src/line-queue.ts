/** Executes entered lines one after another, so that text entered right after `/dm name` goes to that user. */
export function createLineQueue(execute: (line: string) => Promise<void>) {
  /** Not executed yet; the first one is running. */
  const lines: string[] = [];
  let isClosed = false;

  return {
    async add(line: string): Promise<void> {
      if (lines.push(line) > 1) return;
      for (let next = lines[0]; next !== undefined && !isClosed; next = lines[0]) {
        await execute(next);
        if (!isClosed) lines.shift();
      }
    },
    /** Removes and returns the lines after the running one. */
    dropWaiting: (): string[] => lines.splice(1),
    /** Stops, and returns the lines that are not executed, among them the running one. */
    close(): readonly string[] {
      isClosed = true;
      return lines;
    },
  };
}
