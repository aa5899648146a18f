import { deepEqual, equal, fail } from "node:assert/strict";
import { once } from "node:events";
import { Worker } from "node:worker_threads";
import type { World } from "@perdure/core/world";
import { createOne, leasedRun, rowOf } from "../acts.ts";
import type { Law } from "../law.ts";
import { newRun, START, TTL } from "../requests.ts";

/** `capabilities.leaseKeeper`: a second instance in a thread renews leases while a step blocks this one's event loop. */
export const leaseKeeper: Law = {
  name: "lease-keeper",
  cases: {
    "a thread renews what is held while this one is blocked, and nothing else": async (stage) => {
      const world = await stage.open();
      if (world.capabilities.leaseKeeper === null) stage.skip("capabilities.leaseKeeper is null");
      const [held, free] = [await leasedRun(world), newRun()];
      await createOne(world, free);
      const told = await renewedByKeeper(world, [held.runId, free.runId]);
      deepEqual(told, { outcomes: ["renewed", "lost"] }, "what the thread tells");
      const [renewed, other] = await world.getRuns([held.runId, free.runId]);
      equal(renewed?.dueAt, LATER + TTL, "renewed by the clock that this World goes by");
      equal(other?.dueAt, free.dueAt, "a run that nobody holds");
    },
  },
};

const LATER = START + TTL / 2;
const PATIENCE_MS = 20_000;

// What the engine's keeper thread does, in short.
const THREAD = `
  const { parentPort, workerData } = require("node:worker_threads");
  const { keeper, request, done } = workerData;
  async function renewed() {
    const { openWorld } = await import(keeper.module);
    const world = await openWorld(keeper.options);
    await world.open();
    const results = await world.renew(request);
    await world.close();
    return { outcomes: results.map(({ outcome }) => outcome) };
  }
  renewed().catch((error) => ({ error: String(error) })).then((told) => {
    parentPort.postMessage(told);
    Atomics.store(done, 0, 1);
    Atomics.notify(done, 0);
  });
`;

/** What becomes of leases that another instance renews in a thread, while this one stands still. */
async function renewedByKeeper(world: World, runIds: readonly string[]): Promise<unknown> {
  const rows = await Promise.all(runIds.map((runId) => rowOf(world, runId)));
  const leases = rows.map(({ runId, epoch, claimId }) => ({ runId, epoch, claimId: claimId ?? "none" }));
  const done = new Int32Array(new SharedArrayBuffer(4));
  const keeper = await world.capabilities.leaseKeeper?.();
  const request = { leases, ttl: TTL, now: LATER };
  const worker = new Worker(THREAD, { eval: true, execArgv: [], workerData: { keeper, request, done } });
  try {
    const told = once(worker, "message");
    // A thread needs the event loop of the one that starts it; only then is this one blocked.
    await once(worker, "online");
    if (Atomics.wait(done, 0, 0, PATIENCE_MS) === "timed-out") {
      fail(`the keeper's thread did not renew within ${PATIENCE_MS / 1_000} seconds`);
    }
    return (await told)[0];
  } finally {
    await worker.terminate();
  }
}
