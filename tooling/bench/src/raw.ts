/** `raw`: one durable insert, and durable inserts of 100 rows, by the store's bare driver in this process. */

import type { BenchWorld } from "./bench-world.ts";
import { withFolder } from "./engine.ts";
import { percentile, round } from "./statistics.ts";

const ROWS = 100;

export interface RawFigures {
  readonly commitP50Ms: number;
  readonly batchedRowsPerSecond: number;
}

export function measureRaw(
  kind: BenchWorld,
  size: { readonly commits: number; readonly batches: number },
): Promise<RawFigures> {
  return withFolder(async (folder) => {
    const store = await kind.openRaw(folder);
    try {
      const commits: number[] = [];
      for (let index = 0; index < size.commits; index += 1) {
        const began = performance.now();
        await store.insertOne();
        commits.push(performance.now() - began);
      }
      const began = performance.now();
      for (let index = 0; index < size.batches; index += 1) {
        await store.insertMany(ROWS);
      }
      const seconds = (performance.now() - began) / 1000;
      return {
        commitP50Ms: round(percentile(commits, 0.5)),
        batchedRowsPerSecond: Math.round((size.batches * ROWS) / seconds),
      };
    } finally {
      await store.close();
    }
  });
}
