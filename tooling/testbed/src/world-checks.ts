/** What the tests of several adapters check of a World. */
import { Worker } from "node:worker_threads";
import { WorldError } from "@perdure/core/errors";
import type { World } from "@perdure/core/world";
import { expect } from "vitest";
import { CLAIM_ID, NOW, newRun } from "./requests.ts";

/** Waits until a call fails as expected, and returns its error. */
export async function refuses(
  call: Promise<unknown>,
  expected: { message: RegExp; retryable: boolean },
): Promise<unknown> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(WorldError.is(error)).toBe(true);
  expect(error).toMatchObject({
    message: expect.stringMatching(expected.message),
    retryable: expected.retryable,
  });
  return error;
}

// What the engine's keeper thread does, in short.
const KEEPER_THREAD = `
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

/** The World's lease keeper renews a lease in its thread while this one is blocked. */
export async function keepsLeaseWhileBlocked(world: World): Promise<void> {
  await world.createRuns([newRun("wrun_1", { lease: { owner: "w", claimId: CLAIM_ID, ttl: 1_000 } })], NOW);
  const done = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(KEEPER_THREAD, {
    eval: true,
    workerData: {
      keeper: await world.capabilities.leaseKeeper?.(),
      lease: { runId: "wrun_1", epoch: 1, claimId: CLAIM_ID },
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
}
