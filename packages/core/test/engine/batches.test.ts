import { createHook, workflow } from "@perdure/core";
import { WorldError } from "@perdure/core/errors";
import { Client, memoryWorld, virtualClock } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import { expect, it } from "vitest";
import { batcher } from "../../src/batcher.ts";
import { cluster } from "./cluster.ts";

// How calls become requests of the World: cut by bytes and by number, in order, and what is said when no answer comes.

it("cuts requests by bytes and by number, and keeps their order", async () => {
  const clock = virtualClock();
  const sent: number[][] = [];
  const call = batcher<number, number>({
    clock,
    send: async (batch) => {
      sent.push([...batch]);
      return batch.map((bytes) => -bytes);
    },
    size: (bytes) => bytes,
    largest: () => 100,
    unanswered: () => "",
  });
  const results = Promise.all([60, 40, 1, 250, 99, 2].map(call));
  await clock.advance(0);
  expect(await results).toEqual([-60, -40, -1, -250, -99, -2]);
  expect(sent).toEqual([[60, 40], [1], [250], [99], [2]]);
  sent.length = 0;
  const many = Promise.all(Array.from({ length: 2_500 }, () => call(0)));
  await clock.advance(0);
  await many;
  expect(sent.map(({ length }) => length)).toEqual([1_000, 1_000, 500]);
});

it("sends starts and payloads in requests of at most the World's largest batch", async () => {
  const { clock, state } = cluster();
  const requests: { verb: string; bytes: number }[] = [];
  const inner = memoryWorld({ state });
  const note = (verb: string, data: readonly (Uint8Array | null)[]) =>
    void requests.push({ verb, bytes: data.reduce((sum, value) => sum + (value?.byteLength ?? 0), 0) });
  const world: World = {
    ...inner,
    capabilities: { ...inner.capabilities, largestBatch: 10_000 },
    open: () => inner.open(),
    describe: () => inner.describe(),
    close: () => inner.close(),
    createRuns: (batch, now) => {
      note(
        "start",
        batch.map(({ events }) => events[0]?.data ?? null),
      );
      return inner.createRuns(batch, now);
    },
    deliver: (batch, now) => {
      note(
        "resume",
        batch.map(({ data }) => data),
      );
      return inner.deliver(batch, now);
    },
  };
  const client = new Client({ world, clock });
  const flow = workflow("large batches", async (_: string) => {});
  const text = "x".repeat(3_000);
  const starts = Promise.all(Array.from({ length: 20 }, () => client.start(flow, [text])));
  const resumes = Promise.allSettled(Array.from({ length: 20 }, () => client.resumeHook("nobody", text)));
  await clock.advance(0);
  await starts;
  await resumes;
  for (const verb of ["start", "resume"]) {
    const own = requests.filter((request) => request.verb === verb);
    expect(own.length).toBe(7);
    for (const { bytes } of own) expect(bytes).toBeLessThanOrEqual(10_000);
  }
});

it("payloads of one turn are one delivery, also when their hook is gone before the last request", async () => {
  const { clock, state, client, process, settle, until, types } = cluster();
  await process();
  const flow = workflow("one of many", async () => await createHook<string>({ token: "many" }));
  const run = await client.start(flow, []);
  await settle();
  const inner = memoryWorld({ state });
  let requests = 0;
  const sender = new Client({
    clock,
    world: {
      ...inner,
      capabilities: { ...inner.capabilities, largestBatch: 5_000 },
      async deliver(batch, now) {
        if (++requests > 1) await run.returnValue;
        return await inner.deliver(batch, now);
      },
    },
  });
  const payloads = Array.from({ length: 5 }, (_, index) => `${index}`.padEnd(3_000));
  const resumed = await until(Promise.all(payloads.map((payload) => sender.resumeHook("many", payload))));
  expect(requests).toBe(5);
  expect(new Set(resumed.map(({ hookId }) => hookId)).size).toBe(1);
  expect(await run.returnValue).toBe(payloads[0]);
  expect(types(run.runId).filter((type) => type === "hook_received")).toHaveLength(1);
  // A later one finds nobody.
  await expect(until(sender.resumeHook("many", "late"))).rejects.toThrow(/No live hook/);
});

it("says what is not known when no answer comes, and how to go on; keys and tokens are not told", async () => {
  const { clock, state, until } = cluster();
  const world = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (/createRuns|deliver/.test(operation)) throw new WorldError("The store cannot be reached.");
    },
  });
  const client = new Client({ world, clock });
  const flow = workflow("no answer", async () => {});
  const messageOf = async (promise: Promise<unknown>): Promise<string> => {
    const error = await until(promise.catch((reason: unknown) => reason));
    if (!WorldError.is(error)) throw new Error("No WorldError.");
    expect(error.retryable).toBe(true);
    expect(error.cause).toMatchObject({ message: expect.stringContaining("The store cannot be reached.") });
    return error.message;
  };
  const plain = await messageOf(client.start(flow, []));
  expect(plain).toMatch(
    /cannot be reached\. It was tried 5 times\. Whether the run was created is not known/,
  );
  expect(plain).toMatch(/getRun\("wrun_\w+"\)\.exists/);
  const keyed = await messageOf(client.start(flow, [], { idempotencyKey: "secret" }));
  expect(keyed).toMatch(/call start\(\) again with the same idempotencyKey/);
  const resumed = await messageOf(client.resumeHook("secret", 1));
  expect(resumed).toMatch(/Whether the payload was delivered is not known/);
  expect(await messageOf(client.getRun("wrun_1").cancel())).toMatch(
    /cancel\(\) of run "wrun_1".*call it again/,
  );
  expect(keyed + resumed).not.toContain("secret");
});
