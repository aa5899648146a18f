/** `claimer <path> <workflow> <now> <claimers>`: so many Worlds claim all they can get; prints one run id per line. */
import { randomUUID } from "node:crypto";
import { sqliteWorld } from "../../src/index.ts";
import { ready } from "./go.ts";

const [path = "", workflow = "", now = "", claimers = ""] = process.argv.slice(2);

const worlds = await Promise.all(
  Array.from({ length: Number(claimers) }, async () => {
    const world = sqliteWorld({ path, clock: "caller" });
    await world.open();
    return world;
  }),
);
await ready();
await Promise.all(
  worlds.map(async (world, index) => {
    for (;;) {
      const { runs } = await world.claim({
        queues: [workflow],
        limit: 1 + index,
        byteLimit: 1_000_000,
        owner: `${process.pid}-${index}`,
        claimId: randomUUID(),
        ttl: 30_000,
        now: Number(now),
        cached: new Map(),
        eventLimit: 10,
      });
      if (runs.length === 0) return;
      for (const { run } of runs) console.log(`claimed ${run.runId}`);
    }
  }),
);
await Promise.all(worlds.map((world) => world.close()));
