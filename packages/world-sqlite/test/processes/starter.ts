/** `starter <path> <workflow> <now>`: starts one run. */
import { sqliteWorld } from "../../src/index.ts";

const [path = "", workflow = "", now = ""] = process.argv.slice(2);
const at = Number(now);

const world = sqliteWorld({ path, clock: "caller" });
await world.open();
await world.createRuns(
  [
    {
      runId: `wrun_${process.pid}`,
      workflow,
      queue: workflow,
      attributes: {},
      state: null,
      idempotencyKey: null,
      events: [{ type: "run_created", at, id: null, name: null, data: null }],
      names: [],
      mail: [],
      dueAt: at,
      lease: null,
    },
  ],
  at,
);
await world.close();
