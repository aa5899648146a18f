import { createHook, getStepMetadata, shield, sleep, step, workflow } from "@perdure/core";
import type { Run } from "@perdure/core/api";
import { WorkflowRunCancelledError, WorkflowRunNotFoundError } from "@perdure/core/errors";
import { coldReplay, deploy } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// `run.cancel()`: durable, heard by the workflow and its steps, and always the end.

/** The error that those who wait for a cancelled run get. */
async function cancellation(run: Run): Promise<WorkflowRunCancelledError> {
  const error = await run.returnValue.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!WorkflowRunCancelledError.is(error)) throw error ?? new Error("The run was not cancelled.");
  return error;
}

it("ends a run that nobody has begun, without calling its function", async () => {
  const { process, client, until, types } = cluster();
  let called = false;
  const flow = workflow("not begun", async () => {
    called = true;
  });
  const run = await client.start(flow, []);
  await run.cancel({ reason: "changed my mind" });
  await process();
  expect((await until(cancellation(run))).reason).toBe("changed my mind");
  expect(called).toBe(false);
  expect(types(run.runId)).toEqual(["run_created", "run_cancel_requested", "run_cancelled"]);
  expect(await run.status).toBe("cancelled");
  expect(await run.startedAt).toBeUndefined();
  expect(await run.completedAt).toBeInstanceOf(Date);
});

it("wakes a sleeping run: its finally blocks run, with their steps", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const undone: string[] = [];
  const undo = step("undo", async (what: string) => void undone.push(what));
  const flow = workflow("sleeps long", async () => {
    try {
      await sleep("30 days");
    } finally {
      await undo("first");
      await shield(async () => {
        await sleep("1m");
        await undo("second");
      });
    }
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  const started = clock.now();
  const error = await until(cancellation(run));
  expect(error.reason).toBeUndefined();
  expect(error.message).toBe(
    `Workflow run "${run.runId}" was cancelled (perdure/docs/errors/RUN_CANCELLED.md)`,
  );
  expect(undone).toEqual(["first", "second"]);
  expect(clock.now() - started).toBeLessThan(120_000);
  expect(types(run.runId).at(-1)).toBe("run_cancelled");
});

it("aborts the signal of a step that is under way, and discards its result", async () => {
  const { process, client, until, settle, types } = cluster();
  const late = gate<string>();
  let reason: unknown;
  const work = step("cancelled work", async () => {
    const { signal } = getStepMetadata();
    signal.addEventListener("abort", () => {
      reason = signal.reason;
    });
    return await late.promise;
  });
  const flow = workflow("in a step", async () => await work());
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "enough" });
  await until(cancellation(run));
  expect(WorkflowRunCancelledError.is(reason) && reason.reason).toBe("enough");
  late.open("too late");
  await settle();
  expect(types(run.runId)).not.toContain("step_completed");
});

it("does not begin steps that were only asked for", async () => {
  const { process, client, until, settle } = cluster();
  const begun: number[] = [];
  const first = gate();
  const work = step("one at a time", async (index: number) => {
    begun.push(index);
    await first.promise;
  });
  const flow = workflow("queue", async () => await Promise.all([1, 2, 3].map((index) => work(index))));
  await process({ concurrency: 1 });
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await until(cancellation(run));
  first.open();
  await settle();
  expect(begun).toEqual([1]);
});

it("rejects everything that is awaited: steps, sleeps and hooks", async () => {
  const { process, client, until, settle } = cluster();
  const seen: unknown[] = [];
  const note = step("note", async (names: unknown) => void seen.push(names));
  const never = step("never ends", () => new Promise<never>(() => {}));
  const flow = workflow("awaits all", async () => {
    const hook = createHook({ token: "cancelled hook" });
    const all = await Promise.allSettled([never(), sleep("1y"), hook, Promise.race([hook, never()])]);
    await note(all.map((result) => (result.status === "rejected" ? (result.reason as Error).name : "fine")));
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await until(cancellation(run));
  expect(seen).toEqual([Array(4).fill("WorkflowRunCancelledError")]);
});

it("is the end also of a workflow that catches it, goes on and returns, or throws something else", async () => {
  const { process, client, until, settle } = cluster();
  const after = step("after", async () => "went on");
  const catches = workflow("catches it", async () => {
    await sleep("1 day").catch(() => {});
    return await after();
  });
  const throws = workflow("throws instead", async () => {
    await sleep("1 day").catch(() => {
      throw new TypeError("something else");
    });
  });
  await process();
  for (const flow of [catches, throws]) {
    const run = await client.start(flow, []);
    await settle();
    await run.cancel({ reason: "stop" });
    expect((await until(cancellation(run))).reason).toBe("stop");
  }
});

it("is heard once: a second cancel changes nothing", async () => {
  const { process, client, until, settle, types } = cluster();
  const opened = gate();
  const clean = step("clean", () => opened.promise);
  const flow = workflow("twice", async () => {
    try {
      await sleep("1 day");
    } finally {
      await clean();
    }
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "first" });
  await settle();
  await run.cancel({ reason: "second" });
  await settle();
  opened.open();
  expect((await until(cancellation(run))).reason).toBe("first");
  expect(types(run.runId).filter((type) => type === "run_cancel_requested")).toHaveLength(1);
});

it("leaves a run that has ended as it is, and knows runs that do not exist", async () => {
  const { process, client, until, types } = cluster();
  const flow = workflow("ends first", async () => "done");
  await process();
  const run = await client.start(flow, []);
  await until(run.returnValue);
  await run.cancel();
  expect(await run.status).toBe("completed");
  expect(await run.returnValue).toBe("done");
  expect(types(run.runId).at(-1)).toBe("run_completed");
  await expect(client.getRun("wrun_none").cancel()).rejects.toSatisfy(WorkflowRunNotFoundError.is);
});

it("is durable: a worker that died with it is no excuse, and the clean-up goes on elsewhere", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const attempts: number[] = [];
  const clean = step("clean up", async () => {
    attempts.push(getStepMetadata().attempt);
    if (getStepMetadata().attempt === 1) await new Promise<never>(() => {});
  });
  const flow = workflow("dies cleaning", async () => {
    try {
      await sleep("1 day");
    } finally {
      await clean();
    }
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "durable" });
  await settle();
  expect(attempts).toEqual([1]);
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  expect((await until(cancellation(run))).reason).toBe("durable");
  expect(attempts).toEqual([1, 2]);
  const replayed = await coldReplay(
    { runId: run.runId, workflow: "dies cleaning" },
    journal(run.runId),
    clock,
  );
  expect(replayed.outcome).toBe("threw");
});

it("ends a run that has diverged from its journal", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const one = step("one", async () => {});
  workflow("diverges and is cancelled", async () => {
    await one();
    await sleep("1h");
  });
  const first = await process();
  const run = await client.start({ workflowId: "diverges and is cancelled" }, []);
  await settle();
  first.kill();
  deploy();
  workflow("diverges and is cancelled", async () => await sleep("1h"));
  await process();
  await clock.advance(3_700_000);
  expect(row(run.runId).status).toBe("diverged");
  await run.cancel({ reason: "give up" });
  expect((await until(cancellation(run))).reason).toBe("give up");
});

it("lets a run end in peace whose end is on its way already", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const opened = gate();
  const flow = workflow("ends meanwhile", async () => "done");
  const held = await process();
  held.fault((operation) => (operation === "commit" ? opened.promise : undefined));
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await clock.advance(100);
  opened.open();
  expect(await until(run.returnValue)).toBe("done");
  expect(row(run.runId)).toMatchObject({ status: "completed", dueAt: null, owner: null });
});

// Steps that have begun when the cancel comes: docs/cancellation.md has the table.

/** A flow whose last step is under way in a `finally` block of the normal path; `fail` attempts of it fail. */
function cleaning(name: string, fail: number, pause: number) {
  const tries: number[] = [];
  const work = step(`${name} work`, async () => "worked");
  const unlock = step(
    `${name} unlock`,
    async () => {
      tries.push(getStepMetadata().attempt);
      if (tries.length <= fail) throw new Error("not yet");
    },
    { maxRetries: 100, backoff: { initial: pause, factor: 1, jitter: 0 } },
  );
  const flow = workflow(name, async () => {
    try {
      return await work();
    } finally {
      await unlock();
    }
  });
  return { flow, tries };
}

it("finishes a clean-up step that waits for its next attempt", async () => {
  const { process, client, clock, until, settle, types, journal } = cluster();
  const { flow, tries } = cleaning("cleans late", 2, 1_500);
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "late" });
  expect((await until(cancellation(run))).reason).toBe("late");
  expect(tries).toEqual([1, 2, 3]);
  expect(types(run.runId).slice(-4)).toEqual([
    "run_cancel_requested",
    "step_retrying",
    "step_completed",
    "run_cancelled",
  ]);
  const replayed = await coldReplay({ runId: run.runId, workflow: "cleans late" }, journal(run.runId), clock);
  expect(replayed.outcome).toBe("threw");
});

it("finishes it elsewhere when its worker dies", async () => {
  const { process, client, until, settle, clock } = cluster();
  const { flow, tries } = cleaning("cleans elsewhere", 1, 3_000);
  const first = await process({ leaseTtl: 2_000 });
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await settle();
  first.kill();
  await process({ leaseTtl: 2_000 });
  await clock.advance(6_000);
  await until(cancellation(run));
  expect(tries).toEqual([1, 2]);
});

it("gives a step up that goes on failing, and at once when its next attempt is too far away", async () => {
  for (const [name, pause, attempts, longest] of [
    ["fails on", 3_000, 4, 10_000],
    ["fails far", 60_000, 1, 0],
  ] as const) {
    const { process, client, clock, until, settle } = cluster();
    const { flow, tries } = cleaning(name, 99, pause);
    await process();
    const run = await client.start(flow, []);
    await settle();
    const asked = clock.now();
    await run.cancel();
    await until(cancellation(run));
    expect(tries).toHaveLength(attempts);
    expect(clock.now() - asked).toBeLessThanOrEqual(longest + 100);
  }
});

it("lets a body end that is under way, and tells its code of the cancel then, so that it cleans up once", async () => {
  const { process, client, clock, until, settle, journal, types } = cluster();
  const opened = gate<string>();
  const said: unknown[] = [];
  const charge = step("charge", () => opened.promise);
  const ship = step("ship", async () => void said.push("shipped"));
  const unlock = step("unlock", async () => void said.push("unlocked"));
  const flow = workflow("is told after the step", async () => {
    try {
      await charge();
      await ship();
    } finally {
      await unlock();
    }
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await settle();
  expect(said).toEqual([]);
  opened.open("ch_1");
  await until(cancellation(run));
  expect(said).toEqual(["unlocked"]);
  expect(types(run.runId)).toContain("step_completed");
  const named = { runId: run.runId, workflow: "is told after the step" };
  expect((await coldReplay(named, journal(run.runId), clock)).outcome).toBe("threw");
});

it("does not try a step again that ends because of its signal", async () => {
  const { process, client, clock, until, settle } = cluster();
  const attempts: number[] = [];
  const obeys = step("obeys the cancel", async () => {
    const { signal, attempt } = getStepMetadata();
    attempts.push(attempt);
    await new Promise((_, reject) => signal.addEventListener("abort", () => reject(new Error("stopped"))));
  });
  await process();
  const run = await client.start(
    workflow("obeys the cancel", async () => await obeys()),
    [],
  );
  await settle();
  const asked = clock.now();
  await run.cancel();
  await until(cancellation(run));
  expect(attempts).toEqual([1]);
  expect(clock.now() - asked).toBeLessThan(100);
});

it("rejects sleeps and hooks at once, while a step beside them ends", async () => {
  const { process, client, until, settle } = cluster();
  const opened = gate();
  const said: string[] = [];
  const slow = step("slow beside", () => opened.promise);
  const note = step("note beside", async (what: string) => void said.push(what));
  const flow = workflow("beside", async () => {
    await Promise.all([sleep("1 day").catch(() => note("woken")), slow()]);
    said.push("never");
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel();
  await settle();
  expect(said).toEqual(["woken"]);
  opened.open();
  await until(cancellation(run));
  expect(said).toEqual(["woken"]);
});
