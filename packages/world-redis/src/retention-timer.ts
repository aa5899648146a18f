/** Deletes ended runs by themselves, by the server's clock, while a World with a retention is open. */
import { deleteOldRuns, type World } from "@perdure/core/world";
import type { Connection } from "./connection.ts";
import { reading } from "./script.ts";
import { every } from "./timers.ts";

const time = reading("read the time", "return redis.call('TIME')");

const LONGEST_INTERVAL = 60_000;
const SHORTEST_INTERVAL = 50;

/** @returns the function that ends it */
export function keepRetention(
  connection: Connection,
  retention: number | null,
  world: Pick<World, "listRuns" | "deleteRuns">,
): () => void {
  if (retention === null) return () => {};
  let busy = false;
  const sweep = async (): Promise<void> => {
    if (busy) return;
    busy = true;
    try {
      const [seconds] = (await connection.run(time, 0, [])) as readonly [Buffer, Buffer];
      await deleteOldRuns(world, Number(seconds) * 1_000 - retention);
    } catch {
      // The server is away for a moment; the next round finds the same runs.
    } finally {
      busy = false;
    }
  };
  const interval = Math.min(Math.max(retention / 10, SHORTEST_INTERVAL), LONGEST_INTERVAL);
  return every(interval, () => void sweep());
}
