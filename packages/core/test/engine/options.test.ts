import { createHook, RetryableError, sleep, step, workflow } from "@perdure/core";
import { countRuns, listRuns, resumeHook, start } from "@perdure/core/api";
import { configure, createWorker } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { describe, expect, it } from "vitest";
import { type Cluster, cluster } from "./cluster.ts";

// An option that would be dropped is refused: what it was passed for would not happen.

function here(): Cluster {
  const made = cluster();
  configure({ world: made.world, worker: false });
  return made;
}

/** Options as code passes them that no compiler has looked at. */
function untyped(options: object): never {
  return options as never;
}

const quick = workflow("options/quick", async () => 1);

describe("an option with an unknown name", () => {
  it.each<[string, string, (run: Awaited<ReturnType<typeof start>>) => unknown]>([
    ["start()", "idempotencyKey", () => start(quick, [], untyped({ idempotencykey: "a" }))],
    ["start()", "ttl", () => start(quick, [], untyped({ ttls: "1 day" }))],
    ["start({ hook })", "token", () => start(quick, [], { hook: untyped({ token: "t", tokn: "u" }) })],
    ["resumeHook()", "idempotencyKey", () => resumeHook("t", 1, untyped({ idempotencyKeys: "a" }))],
    ["cancel()", "reason", (run) => run.cancel(untyped({ reasons: "because" }))],
    ["retry()", "keys", (run) => run.retry(untyped({ key: "new" }))],
    ["fork()", "fromStep", (run) => run.fork(untyped({ fromstep: "a" }))],
    ["result()", "timeout", (run) => run.result(untyped({ timeuot: 1 }))],
    ["getState()", "after", (run) => run.getState(untyped({ afer: 1 }))],
    ["wakeUp()", "correlationIds", (run) => run.wakeUp(untyped({ ids: [] }))],
    ["events()", "limit", async (run) => run.events(untyped({ limits: 1 }))],
    ["listRuns()", "statuses", () => listRuns(untyped({ status: ["failed"] }))],
    ["countRuns()", "workflow", () => countRuns(untyped({ workflows: quick }))],
    ["configure()", "worker", async () => configure(untyped({ world: memoryWorld(), workers: false }))],
    [
      "configure({ retry })",
      "backoff",
      async () => configure({ world: memoryWorld(), retry: untyped({ backof: 1 }) }),
    ],
    [
      "createWorker()",
      "concurrency",
      async () => createWorker(untyped({ world: memoryWorld(), concurency: 1 })),
    ],
    [
      "worker.close()",
      "timeout",
      async () => createWorker({ world: memoryWorld() }).close(untyped({ timeOut: 1 })),
    ],
    ["Step a", "maxRetries", async () => step("a", async () => 1, untyped({ maxRetrys: 1 }))],
    ["Step a: backoff", "initial", async () => step("a", async () => 1, { backoff: untyped({ inital: 1 }) })],
    ["RetryableError()", "retryAfter", async () => new RetryableError("later", untyped({ retryafter: 1 }))],
  ])("is refused by %s, which names %s", async (caller, nearest, act) => {
    const { client } = here();
    const run = await client.start(quick, []);
    const refused = await Promise.resolve()
      .then(() => act(run))
      .then(
        () => null,
        (error: unknown) => error,
      );
    expect(refused).toBeInstanceOf(TypeError);
    expect((refused as Error).message).toContain(`${caller}: there is no option `);
    expect((refused as Error).message).toContain(`the nearest is "${nearest}"`);
  });

  it("is refused by createHook, in the workflow", async () => {
    const { process, client, until } = here();
    const hooked = workflow("options/hooked", async () => createHook(untyped({ tokn: "t" })).token);
    await process();
    const run = await client.start(hooked, []);
    await expect(until(run.returnValue)).rejects.toThrow('createHook(): there is no option "tokn"');
  });

  it("is refused where it was set on a step function, at the step's first call", async () => {
    const { process, client, until } = here();
    let calls = 0;
    const charge = step("options/charge", async () => calls++);
    Object.assign(charge, { maxRetires: 0, displayName: "Charge" });
    const pay = workflow("options/pay", async () => await charge());
    await process();
    const run = await client.start(pay, []);
    await expect(until(run.returnValue)).rejects.toThrow(
      'Step options/charge: there is no option "maxRetires"; the nearest is "maxRetries"',
    );
    expect(calls).toBe(0);
  });
});

describe("an option with a wrong value", () => {
  it.each<[string, object]>([
    ["backoff must be { initial, factor, max, jitter } or a function", { backoff: "1s" }],
    ["the nearest unit is seconds", { timeout: "5 secconds" }],
    ["deadline: must be a length of time", { deadline: new Date(0) }],
    ["maxRetries must be", { maxRetries: "3" }],
    ["retryable must be a function", { retryable: true }],
  ])("of a step is refused: %s", async (message, options) => {
    expect(() => step("b", async () => 1, untyped(options))).toThrow(message);
    const { process, client, until } = here();
    const charge = Object.assign(
      step("options/valued", async () => 1),
      options,
    );
    const pay = workflow("options/valued-flow", async () => await charge());
    await process();
    const run = await client.start(pay, []);
    await expect(until(run.returnValue)).rejects.toThrow(message);
  });

  it("of sleep is a TypeError that names the nearest unit", async () => {
    const { process, client, until } = here();
    const sleepy = workflow("options/sleepy", async () => await sleep("3 dayz" as never));
    await process();
    const run = await client.start(sleepy, []);
    await expect(until(run.returnValue)).rejects.toThrow(
      'sleep(): "3 dayz" is not a duration; the nearest unit is days',
    );
  });
});

it("a slip in a property of a step fails the step, where another property is its own", async () => {
  const { client, process, until } = here();
  const titled = Object.assign(
    step("options/titled", async () => 1),
    { title: "one", tries: 2 },
  );
  const slip = Object.assign(
    step("options/slip", async () => 1),
    { maxRetry: 2 },
  );
  const flow = workflow("options/properties", async () => [await titled(), await slip()]);
  await process();
  await expect(until((await client.start(flow, [])).returnValue)).rejects.toThrow(
    'Step options/slip: there is no option "maxRetry"; the nearest is "maxRetries"',
  );
});

describe("options of the Workflow SDK", () => {
  it("that mean something here do what they say", async () => {
    const other = memoryWorld();
    const { client, process, until } = here();
    const waits = workflow("options/waits", async () => await sleep("1 day"));
    const elsewhere = await start(quick, [], { world: other });
    expect((await other.getRuns([elsewhere.runId]))[0]?.workflow).toBe("options/quick");
    await process();
    const run = await client.start(waits, []);
    await expect(start(quick, [], { deploymentId: "latest" })).resolves.toBeDefined();
    await run.cancel({ cancelReason: "no longer needed" });
    await expect(until(run.returnValue)).rejects.toThrow("no longer needed");
  });

  it("that mean nothing here are named, with what to do", async () => {
    here();
    await expect(start(quick, [], untyped({ specVersion: 2 }))).rejects.toThrow(
      "start(): the option specVersion of the Workflow SDK is not one here. Leave it out.",
    );
    await expect(start(quick, [], untyped({ specVersion: undefined }))).resolves.toBeDefined();
    await expect(start(quick, [], untyped({ deploymentId: "dpl_1" }))).rejects.toThrow(
      'start({ deploymentId }): a run is executed by whichever worker has its workflow: pass "latest" or leave it out, got "dpl_1".',
    );
  });
});
