/** Deletes ended runs by themselves, by the server's clock, while a World with a retention is open. */
import type { Connection } from "./connection.ts";
import type { DeleteRuns } from "./retention.ts";
import { reading } from "./script.ts";
import { every } from "./timers.ts";

const time = reading("read the time", "return redis.call('TIME')");

const RUNS_AT_ONCE = 200;
const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 50;

/** @returns the function that ends it */
export function keepRetention(
  connection: Connection,
  retention: number | null,
  deleteRuns: DeleteRuns,
): () => void {
  if (retention === null) return () => {};
  let busy = false;
  const sweep = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const [seconds] = (await connection.run(time, 0, [])) as readonly [Buffer, Buffer];
      const request = { completedBefore: Number(seconds) * 1_000 - retention, limit: RUNS_AT_ONCE };
      while ((await deleteRuns(request)) === RUNS_AT_ONCE);
    } catch {
      // The server is away for a moment; the next round finds the same runs.
    } finally {
      busy = false;
    }
  };
  const interval = Math.min(Math.max(retention / 10, SHORTEST_INTERVAL), LONGEST_INTERVAL);
  return every(interval, () => void sweep());
}
