import { sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import {
  IdempotencyConflictError,
  IdempotencyMismatchError,
  SerializationError,
  WorldError,
} from "@perdure/core/errors";
import { configure, createWorker, getWorld, shutdown } from "@perdure/core/runtime";
import { Client, memoryWorld } from "@perdure/core/testing";
import { expect, it, vi } from "vitest";
import { cluster } from "./cluster.ts";

// Starting runs: keys, options, bad arguments, and where a new run begins.

it("makes one run of all starts with one key, also after it has ended", async () => {
  const { process, client, until, world } = cluster();
  let calls = 0;
  const work = step("work", async () => ++calls);
  const flow = workflow("keyed", async (_: unknown) => await work());
  await process();
  const args = [{ b: 1, a: new Date(0) }];
  const runs = await Promise.all(
    Array.from({ length: 20 }, () => client.start(flow, args, { idempotencyKey: "order 1" })),
  );
  expect(new Set(runs.map(({ runId }) => runId)).size).toBe(1);
  expect(await until((runs[0] as (typeof runs)[0]).returnValue)).toBe(1);
  // Equal arguments in another order of their keys are the same arguments.
  const again = await client.start(flow, [{ a: new Date(0), b: 1 }], { idempotencyKey: "order 1" });
  expect(again.runId).toBe(runs[0]?.runId);
  expect(await again.returnValue).toBe(1);
  expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(1);
});

it("binds a key to its workflow", async () => {
  const { client } = cluster();
  const one = workflow("one of two", async () => {});
  const two = workflow("two of two", async () => {});
  const options = { idempotencyKey: "the same" };
  const [first, second] = [await client.start(one, [], options), await client.start(two, [], options)];
  expect(first.runId).not.toBe(second.runId);
});

it("refuses the key for other arguments, and names the run that has it", async () => {
  const { client } = cluster();
  const flow = workflow("mismatch", async (_: number) => {});
  const run = await client.start(flow, [1], { idempotencyKey: "k" });
  const error = await client.start(flow, [2], { idempotencyKey: "k" }).catch((reason: unknown) => reason);
  expect(IdempotencyMismatchError.is(error) && error.runId).toBe(run.runId);
});

it("rejects instead of returning the run where that is asked for", async () => {
  const { client } = cluster();
  const flow = workflow("rejects", async () => {});
  const options = { idempotencyKey: "k", onConflict: "reject" } as const;
  const run = await client.start(flow, [], options);
  const error = await client.start(flow, [], options).catch((reason: unknown) => reason);
  expect(IdempotencyConflictError.is(error) && error.runId).toBe(run.runId);
  expect((await client.start(flow, [], { idempotencyKey: "k" })).runId).toBe(run.runId);
});

it("frees a key when its ttl is over and its run has ended, and not before", async () => {
  const { process, client, clock, until } = cluster();
  const flow = workflow("ttl", async (ms: number) => await sleep(ms));
  await process();
  const options = { idempotencyKey: "k", ttl: "1h" } as const;
  const first = await client.start(flow, [2 * 3_600_000], options);
  await clock.advance(3_600_000 + 1);
  // It still runs, so it still holds its key.
  expect((await client.start(flow, [2 * 3_600_000], options)).runId).toBe(first.runId);
  await until(first.returnValue);
  const second = await client.start(flow, [1], options);
  expect(second.runId).not.toBe(first.runId);
  await until(second.returnValue);
  await clock.advance(3_500_000);
  expect((await client.start(flow, [1], options)).runId).toBe(second.runId);
  await clock.advance(100_001);
  expect((await client.start(flow, [1], options)).runId).not.toBe(second.runId);
});

it("says where an argument cannot be stored, at the call, and starts nothing", async () => {
  const { client, state } = cluster();
  const flow = workflow("bad arguments", async (_: unknown) => {});
  const bad = { user: { sockets: [new Map([["a", () => {}]])] } };
  const error = await client.start(flow, [bad]).catch((reason: unknown) => reason);
  expect(SerializationError.is(error) && error.path).toMatch(/^args\[0\]\.user\.sockets\[0\]/);
  expect(state.runs.size).toBe(0);
});

it("refuses what is no workflow, and options that make no sense", async () => {
  const { client, state } = cluster();
  const flow = workflow("options", async () => {});
  await expect(client.start(async () => {}, [])).rejects.toThrow(
    /not a workflow. Begin the function with "use workflow"/,
  );
  await expect(client.start(flow, [], { idempotencyKey: "" })).rejects.toThrow(/1 to 255 characters/);
  await expect(client.start(flow, [], { idempotencyKey: "k".repeat(256) })).rejects.toThrow(/255/);
  await expect(client.start(flow, [], { idempotencyKey: "k", ttl: "soon" as never })).rejects.toThrow(
    /duration/,
  );
  await expect(client.start(flow, [], { onConflict: "other" as never })).rejects.toThrow(
    /onConflict: must be "return", "reject" or "replace", got "other"/,
  );
  await expect(client.start(flow, "text" as never)).rejects.toThrow(/args: must be an array/);
  expect(state.runs.size).toBe(0);
});

it("begins a run in a worker of this process without a claim", async () => {
  const { process, client, until, settle, row } = cluster();
  const flow = workflow("local", async () => "here");
  const { worker, fault } = await process();
  await settle();
  client.workers.add(worker);
  const operations: string[] = [];
  fault((operation) => void (operation.includes("answer") || operations.push(operation)));
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("here");
  expect(row(run.runId).epoch).toBe(1);
  expect(operations).toEqual(["commit"]);
});

it("sends a start again whose answer was lost, and gets one run", async () => {
  const { clock, state, until } = cluster();
  let lost = 0;
  const world = memoryWorld({
    state,
    beforeOperation: (operation) => {
      if (operation === "createRuns answer" && ++lost <= 2) throw new WorldError("the answer is lost");
    },
  });
  const client = new Client({ world, clock });
  const flow = workflow("lost answer", async () => {});
  const run = await until(client.start(flow, [], { idempotencyKey: "k", onConflict: "reject" }));
  expect(lost).toBe(3);
  expect([...state.runs.keys()]).toEqual([run.runId]);
});

it("does not let one start that the store refuses spoil those beside it", async () => {
  const { clock, state } = cluster();
  const inner = memoryWorld({ state });
  const world = {
    ...inner,
    createRuns: async (...[batch, now]: Parameters<typeof inner.createRuns>) => {
      if (batch.some(({ events }) => (events[0]?.data?.length ?? 0) > 1_000)) {
        throw new WorldError("too large", { retryable: false });
      }
      return await inner.createRuns(batch, now);
    },
  };
  const client = new Client({ world, clock });
  const flow = workflow("beside", async (_: string) => {});
  const results = await Promise.allSettled(
    ["a", "x".repeat(5_000), "b"].map((text) => client.start(flow, [text])),
  );
  expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected", "fulfilled"]);
  expect(state.runs.size).toBe(2);
});

it("still starts runs while its own worker closes on a signal, and leaves them to others", async () => {
  const world = memoryWorld();
  configure({ world, worker: { signals: ["SIGUSR2"], pollInterval: 60_000 } });
  const ignore = () => {};
  process.on("SIGUSR2", ignore);
  const flow = workflow("on a signal", async () => "done");
  expect(await (await start(flow)).returnValue).toBe("done");
  process.emit("SIGUSR2", "SIGUSR2");
  const run = await start(flow);
  expect(await run.status).toBe("pending");
  await shutdown();
  process.off("SIGUSR2", ignore);
});

it("does not bring a worker along where the program has one, also when that has closed", async () => {
  const world = memoryWorld();
  configure({ world });
  const worker = createWorker({ world });
  await worker.start();
  const flow = workflow("own worker", async () => "done");
  expect(await (await start(flow)).returnValue).toBe("done");
  await worker.close();
  const run = await start(flow);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await run.status).toBe("pending");
  expect((await world.getRuns([run.runId]))[0]?.epoch).toBe(0);
  await shutdown();
});

it("has one worker where it is configured again, as by a module that is evaluated again", async () => {
  const { state } = cluster();
  const flow = workflow("configured again", async () => "done");
  configure({ world: memoryWorld({ state }), worker: { signals: ["SIGUSR2"] } });
  expect(await (await start(flow)).returnValue).toBe("done");
  expect(process.listenerCount("SIGUSR2")).toBe(1);
  configure({ world: memoryWorld({ state }), worker: { signals: [] } });
  expect(await (await start(flow)).returnValue).toBe("done");
  await vi.waitFor(() => expect(process.listenerCount("SIGUSR2")).toBe(0));
  await shutdown();
});

it("tries again to open the World when that has failed", async () => {
  let down = true;
  const world = memoryWorld({
    beforeOperation: (operation) => {
      if (operation === "open" && down) throw new Error("the store is down");
    },
  });
  configure({ world });
  const flow = workflow("opens later", async () => "done");
  await expect(start(flow)).rejects.toThrow("the store is down");
  down = false;
  expect(await (await start(flow)).returnValue).toBe("done");
  await shutdown();
});

it("needs a World, and takes the one that was configured; an embedded one brings a worker along", async () => {
  expect(() => getWorld()).toThrow(/No World is configured/);
  configure({ world: memoryWorld() });
  const double = step("double", async (value: number) => value * 2);
  const flow = workflow("configured", async (value = 21) => await double(value));
  expect(await (await start(flow, [4])).returnValue).toBe(8);
  expect(await (await start(flow, { idempotencyKey: "k" })).returnValue).toBe(42);
  await expect(start(flow, 4 as never)).rejects.toThrow(/args: must be an array, got number/);
  await shutdown();
  expect(() => getWorld()).toThrow(/No World is configured/);
  expect(() => configure({ world: { ...memoryWorld(), contractVersion: 99 as never } })).toThrow(
    /speaks version 99 of the World contract/,
  );
});
