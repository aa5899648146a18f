import { getStepMetadata, step, workflow } from "@perdure/core";
import { WorldError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// A store that fails: what was asked for happens once, and one run's trouble is not another's.

const add = step("add", async (a: number, b: number) => a + b);

for (const moment of ["commit", "commit answer"]) {
  it(`executes each step once when every other ${moment} fails`, async () => {
    const { process, client, until, journal } = cluster();
    const calls = new Map<string, number>();
    const work = step("work", async (index: number) => {
      const { stepId, attempt } = getStepMetadata();
      calls.set(stepId, (calls.get(stepId) ?? 0) + attempt);
      return await add(index, 0);
    });
    const flow = workflow(`failing ${moment}`, async () => {
      let sum = 0;
      for (let index = 0; index < 10; index++) sum += await work(index);
      return sum;
    });
    const { fault, logs } = await process();
    let commits = 0;
    fault((operation) => {
      if (operation === moment && ++commits % 2 === 1) throw new WorldError("connection reset");
    });
    const run = await client.start(flow, []);
    expect(await until(run.returnValue)).toBe(45);
    expect([...calls.values()]).toEqual(Array(10).fill(1));
    expect(journal(run.runId).map(({ seq }) => seq)).toEqual(
      Array.from({ length: journal(run.runId).length }, (_, index) => index + 1),
    );
    expect(logs.some(({ message }) => /the store did not take a commit/.test(message))).toBe(true);
  });
}

it("goes on when claims, renewals and mail cannot be read for a while", async () => {
  const { process, client, clock, until, settle } = cluster();
  const work = step("slow work", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 3 * LEASE, resolve));
    return getStepMetadata().attempt;
  });
  const flow = workflow("bad weather", async () => await work());
  const { fault, logs } = await process();
  let failures = 0;
  fault((operation) => {
    if (["claim", "renew", "listMail"].includes(operation) && failures++ % 2 === 0)
      throw new Error("bad weather");
  });
  const run = await client.start(flow, []);
  await settle();
  expect(await until(run.returnValue)).toBe(1);
  expect(logs.some(({ message }) => /could not be asked for due runs/.test(message))).toBe(true);
  expect(logs.some(({ message }) => /leases could not be renewed/.test(message))).toBe(true);
});

it("isolates a run whose commit the store will never take, and does not hold up those beside it", async () => {
  const { process, client, until, settle, row, clock } = cluster();
  const big = step("big", async (size: number) => "x".repeat(size));
  const flow = workflow("sizes", async (size: number) => (await big(size)).length);
  const poisoned = await client.start<number>(flow, [5_000]);
  const others = await Promise.all([1, 2, 3].map((size) => client.start<number>(flow, [size])));
  const refusing = {
    ...client.world,
    commit: async (...[batch, now]: Parameters<typeof client.world.commit>) => {
      if (batch.some(({ events }) => events.some(({ data }) => (data?.length ?? 0) > 2_000))) {
        throw new WorldError("larger than a row may be", { retryable: false });
      }
      return await client.world.commit(batch, now);
    },
  };
  const { logs } = await process({ world: refusing });
  expect(await until(Promise.all(others.map((run) => run.returnValue)))).toEqual([1, 2, 3]);
  await settle();
  expect(logs.filter(({ message }) => message.startsWith("the store refuses what a run"))).toEqual([
    expect.objectContaining({ level: "error", fields: expect.objectContaining({ runId: poisoned.runId }) }),
  ]);
  expect(row(poisoned.runId).status).toBe("running");
  // It comes again when its lease is over, and others still do not notice.
  await clock.advance(2 * LEASE);
  expect(await until((await client.start<number>(flow, [4])).returnValue)).toBe(4);
});

it("drops what it knows of a run when the store says that another has it", async () => {
  const { process, client, clock, until, settle } = cluster();
  let signal: AbortSignal | undefined;
  const hangs = step("hangs", async () => {
    if (getStepMetadata().attempt > 1) return "by the other";
    signal = getStepMetadata().signal;
    return await new Promise<never>(() => {});
  });
  const flow = workflow("loses its lease", async () => await hangs());
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  first.fault((operation) => {
    if (operation === "renew" || operation === "claim") throw new Error("cut off");
  });
  await process();
  await clock.advance(LEASE + 1_000);
  first.fault(null);
  expect(await until(run.returnValue)).toBe("by the other");
  await clock.advance(LEASE);
  expect(signal?.reason).toMatchObject({ name: "LeaseLostError", runId: run.runId, epoch: 1 });
});
