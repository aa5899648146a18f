import { Worker } from "node:worker_threads";
import { expect, test } from "vitest";
import { NOW, newRun, openWorld, pooledUrl, serverUrl, temporarySchema } from "./store.ts";

// What the engine's keeper thread does, in short.
const THREAD = `
  const { workerData } = require("node:worker_threads");
  const { keeper, lease, now, ttl, done } = workerData;
  import(keeper.module).then(async ({ openWorld }) => {
    const world = await openWorld(keeper.options);
    const [result] = await world.renew({ leases: [lease], ttl, now });
    await world.close();
    Atomics.store(done, 0, result.outcome === "renewed" ? 1 : 2);
    Atomics.notify(done, 0);
  });
`;

test.each([
  ["directly", serverUrl],
  ["through PgBouncer", pooledUrl],
])(
  "the keeper renews a lease while this thread is blocked, %s",
  async (_, url) => {
    const world = await openWorld({ url: await url(), schema: temporarySchema() });
    await world.createRuns([newRun("wrun_1", { lease: { owner: "w", ttl: 1_000 } })], NOW);
    const done = new Int32Array(new SharedArrayBuffer(4));
    const worker = new Worker(THREAD, {
      eval: true,
      workerData: {
        keeper: world.capabilities.leaseKeeper,
        lease: { runId: "wrun_1", epoch: 1 },
        now: NOW + 500,
        ttl: 1_000,
        done,
      },
    });
    // Starting a thread needs this one's event loop; only then is it blocked.
    await new Promise((resolve) => worker.once("online", resolve));
    Atomics.wait(done, 0, 0, 20_000);
    expect(done[0]).toBe(1);
    expect(await world.getRuns(["wrun_1"])).toMatchObject([{ dueAt: NOW + 1_500 }]);
    await worker.terminate();
  },
  120_000,
);
