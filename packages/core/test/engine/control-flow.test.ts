import { getStepMetadata, getWorkflowMetadata, sleep, step, workflow } from "@perdure/core";
import { ContextError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Workflows are ordinary async functions: loops, closures, helper functions, finally, early returns.

const add = step("add", async (a: number, b: number) => a + b);

it("keeps loops, closures and helper functions, also over the death of a worker", async () => {
  const { process, client, clock, until, settle } = cluster();
  const opened = gate();
  const pause = step("pause", () => opened.promise);
  const total = async (numbers: readonly number[]): Promise<number> => {
    let sum = 0;
    for (const number of numbers) sum = await add(sum, number);
    return sum;
  };
  const flow = workflow("nested", async (limit: number) => {
    const seen = new Map<number, number>();
    const remember = async (depth: number): Promise<number> => {
      if (depth === 0) return await total([1, 2]);
      const value = await add(await remember(depth - 1), depth);
      seen.set(depth, value);
      return value;
    };
    await remember(3);
    await pause();
    while (seen.size < limit) seen.set(seen.size + 1, await add(seen.size, 100));
    return seen;
  });
  const first = await process();
  const run = await client.start(flow, [5]);
  await settle();
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  opened.open();
  expect(await until(run.returnValue)).toEqual(
    new Map([
      [1, 4],
      [2, 6],
      [3, 9],
      [4, 103],
      [5, 104],
    ]),
  );
});

it("runs finally blocks and their steps around a step that fails", async () => {
  const { process, client, until, types } = cluster();
  const released: string[] = [];
  const release = step("release", async (what: string) => void released.push(what));
  const fail = step(
    "fails for good",
    async () => {
      throw new Error("no");
    },
    { maxRetries: 0 },
  );
  const flow = workflow("try and finally", async () => {
    try {
      try {
        await fail();
      } finally {
        await release("inner");
      }
    } finally {
      await release("outer");
    }
  });
  await process();
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toThrow(/failed: no \(step "fails for good", attempt 1\)/);
  expect(released).toEqual(["inner", "outer"]);
  expect(types(run.runId).at(-1)).toBe("run_failed");
});

it("ends a run at once when its function returns: steps in flight are aborted, their results discarded", async () => {
  const { process, client, until, settle, types, journal } = cluster();
  const late = gate<string>();
  let signal: AbortSignal | undefined;
  const slow = step("slow", () => {
    signal = getStepMetadata().signal;
    return late.promise;
  });
  const failing = step("failing", async () => {
    throw new Error("would be tried again");
  });
  const flow = workflow("early", async () => {
    slow();
    failing();
    void sleep("30 days");
    return await add(1, 2);
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe(3);
  await settle();
  expect(signal?.aborted).toBe(true);
  const ended = journal(run.runId).length;
  late.open("too late");
  await settle();
  expect(journal(run.runId)).toHaveLength(ended);
  expect(types(run.runId).at(-1)).toBe("run_completed");
});

it("never begins a step that was asked for with the last breath", async () => {
  const { process, client, until, settle } = cluster();
  let begun = false;
  const begin = step("too late", async () => {
    begun = true;
  });
  const flow = workflow("last breath", async () => {
    begin();
  });
  await process();
  const run = await client.start(flow, []);
  await until(run.returnValue);
  await settle();
  expect(begun).toBe(false);
});

it("calls a step inside a step as a plain function, in the outer step's context", async () => {
  const { process, client, until, types } = cluster();
  const inner = step("inner", async () => getStepMetadata().stepName);
  const outer = step("outer", async () => [await inner(), await add(1, 1)]);
  const flow = workflow("steps in steps", async () => await outer());
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual(["outer", 2]);
  expect(types(run.runId).filter((type) => type === "step_created")).toHaveLength(1);
});

it("runs a workflow that is called from a workflow inline, as a part of its run", async () => {
  const { process, client, until, journal } = cluster();
  const inner = workflow("inner flow", async (a: number) => {
    await sleep(10);
    return [await add(a, 1), getWorkflowMetadata().workflowName];
  });
  const outer = workflow("outer flow", async () => await inner(41));
  await process();
  const run = await client.start(outer, []);
  expect(await until(run.returnValue)).toEqual([42, "outer flow"]);
  expect(journal(run.runId).filter(({ type }) => type === "run_created")).toHaveLength(1);
});

it("makes plain calls outside of runs, where there is nothing to sleep in", async () => {
  const flow = workflow("plain", async (value: number) => await add(value, 1));
  expect(await flow(1)).toBe(2);
  expect(() => sleep(1)).toThrow(/sleep\(\) was called outside a workflow/);
  expect(() => getStepMetadata()).toThrow(ContextError);
  expect(() => getWorkflowMetadata()).toThrow(/outside a workflow or a step/);
});

it("keeps `this` and the defaults of a step", async () => {
  const { process, client, until } = cluster();
  const counter = {
    base: 40,
    plus: step("plus", async function (this: { base: number }, value = 2) {
      return this.base + value;
    }),
  };
  await process();
  const run = await client.start(
    workflow("this", async () => await counter.plus()),
    [],
  );
  expect(await until(run.returnValue)).toBe(42);
});

it("tells a workflow and its steps what they are", async () => {
  const { process, client, clock, until } = cluster();
  const visible = step("visible", async () => {
    const { signal, ...rest } = getStepMetadata();
    return { ...rest, aborted: signal.aborted, run: getWorkflowMetadata() };
  });
  const told = workflow("told", async () => {
    const here = getWorkflowMetadata();
    // Not stored with the others, which are the same all over the run.
    return { here, attributes: here.attributes, step: await visible() };
  });
  const started = new Date(clock.now());
  await process();
  const run = await client.start(told, [], { attributes: { shop: "north" } });
  const metadata = {
    url: "http://localhost:3000",
    features: { encryption: false },
    workflowName: "told",
    workflowRunId: run.runId,
    workflowStartedAt: started,
  };
  expect(await until(run.returnValue)).toEqual({
    here: metadata,
    attributes: { shop: "north" },
    step: {
      stepName: "visible",
      stepId: expect.stringMatching(/^step_[\w-]{27}$/),
      attempt: 1,
      stepStartedAt: started,
      attemptStartedAt: started,
      aborted: false,
      run: metadata,
    },
  });
});

it("sleeps for as long as it is told, or until a time that may have passed", async () => {
  const { process, client, clock, until } = cluster();
  const flow = workflow("sleeps", async () => {
    const times = [Date.now()];
    for (const duration of [5_000, "2m", new Date(Date.now() + 300_000), new Date(0), 0] as const) {
      await sleep(duration);
      times.push(Date.now());
    }
    return times.map((time) => time - (times[0] ?? 0));
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual([0, 5_000, 125_000, 300_000, 300_000, 300_000]);
  expect(clock.now()).toBeGreaterThan(300_000);
});

it("wakes a run up in another process than the one in which it fell asleep", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const flow = workflow("moves asleep", async () => {
    await sleep("3 days");
    return await add(1, 1);
  });
  const first = await process({ pollInterval: 3_600_000 });
  const run = await client.start(flow, []);
  await settle();
  expect(row(run.runId)).toMatchObject({ owner: null, dueAt: clock.now() + 3 * 86_400_000 });
  await until(first.worker.close());
  await process({ pollInterval: 3_600_000, leaseTtl: 3_600_000 });
  await clock.advance(3 * 86_400_000);
  expect(await until(run.returnValue)).toBe(2);
});

it("refuses a duration that is none, in the workflow", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("bad duration", async () => {
    await sleep("soon" as never);
  });
  await process();
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toThrow(/"soon" is not a duration/);
});
