import { continueAsNew, createHook, FatalError, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { type Run, start } from "@perdure/core/api";
import { coldReplay } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { type Cluster, cluster, LEASE } from "./cluster.ts";

// Abort signals as values: made and aborted by workflows, steps and other runs.

/** Resolves with the reason when the signal aborts. */
function reasonOf(signal: AbortSignal): Promise<unknown> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve(signal.reason);
    signal.addEventListener("abort", () => resolve(signal.reason));
  });
}

/** Rejects as `fetch` does when the signal aborts. */
function interrupted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener("abort", () => reject(signal.reason));
  });
}

async function replayed({ journal, clock }: Cluster, { runId }: Run<unknown>, flow: string): Promise<string> {
  const { outcome, unmatched } = await coldReplay({ runId, workflow: flow }, journal(runId), clock);
  expect(unmatched).toEqual([]);
  return outcome;
}

it("aborts a step from the workflow, at once and without another attempt", async () => {
  const all = cluster();
  const { process, client, until, types } = all;
  let attempts = 0;
  const slow = step("slow", async (given: { readonly deep: readonly AbortSignal[] }) => {
    attempts++;
    await interrupted(given.deep[0] as AbortSignal);
  });
  const flow = workflow("aborts", async () => {
    const controller = new AbortController();
    const heard: unknown[] = [];
    controller.signal.addEventListener("abort", () => heard.push("heard"));
    const ended = slow({ deep: [controller.signal] }).catch((error: unknown) => error);
    await sleep("1s");
    controller.abort();
    const error = await ended;
    return { heard, aborted: controller.signal.aborted, error, fatal: FatalError.is(error) };
  });
  const { logs } = await process();
  const run = await client.start<{ error: FatalError & { reason: unknown } }>(flow, []);
  const { error, ...rest } = await until(run.returnValue);
  expect(rest).toEqual({ heard: ["heard"], aborted: true, fatal: true });
  expect(error).toMatchObject({ name: "AbortError", message: "This operation was aborted" });
  expect(error.reason).toMatchObject({ name: "AbortError" });
  expect(attempts).toBe(1);
  expect(types(run.runId)).toEqual([
    "run_created",
    "run_started",
    "step_created",
    "wait_created",
    "wait_completed",
    "signal_aborted",
    "step_failed",
    "run_completed",
  ]);
  expect(logs.filter(({ level }) => level === "warn")).toEqual([]);
  expect(await replayed(all, run, "aborts")).toBe("returned");
});

it("writes nothing for signals that nobody aborts, and nothing for those that nobody else has", async () => {
  const all = cluster();
  const { process, client, until, types } = all;
  const takes = step("takes", async (signal: AbortSignal) => signal.aborted);
  const flow = workflow("costs nothing", async () => {
    const [mine, given] = [new AbortController(), new AbortController()];
    mine.abort("only mine");
    return [await takes(given.signal), await takes(mine.signal), await takes(AbortSignal.abort("at once"))];
  });
  await process();
  const run = await client.start<boolean[]>(flow, []);
  expect(await until(run.returnValue)).toEqual([false, true, true]);
  expect(new Set(types(run.runId))).toEqual(
    new Set(["run_created", "run_started", "step_created", "step_completed", "run_completed"]),
  );
});

it("aborts from a step: the workflow and its other steps learn of it", async () => {
  const all = cluster();
  const { process, client, until, types } = all;
  const work = step("works under it", async (signal: AbortSignal) => await interrupted(signal));
  const watchdog = step("watchdog", async (controller: AbortController) => {
    controller.abort("quota exceeded");
    return controller.signal.aborted;
  });
  const flow = workflow("has a watchdog", async () => {
    const controller = new AbortController();
    const heard: unknown[] = [];
    controller.signal.onabort = async () => {
      heard.push(await takesNote(controller.signal.reason));
    };
    const [worked, watched] = await Promise.allSettled([work(controller.signal), watchdog(controller)]);
    await sleep("1s");
    return { worked, watched, heard, reason: controller.signal.reason as unknown };
  });
  const takesNote = step("takes a note", async (reason: unknown) => `noted: ${reason}`);
  await process();
  const run = await client.start<Record<string, unknown>>(flow, []);
  expect(await until(run.returnValue)).toMatchObject({
    worked: { status: "rejected", reason: { name: "AbortError", reason: "quota exceeded" } },
    watched: { status: "fulfilled", value: true },
    heard: ["noted: quota exceeded"],
    reason: "quota exceeded",
  });
  expect(types(run.runId)).toContain("abort_received");
  expect(await replayed(all, run, "has a watchdog")).toBe("returned");
});

it("gives back the same signal and controller that it gave away", async () => {
  const { process, client, until } = cluster();
  const returns = step("returns", async (...values: unknown[]) => values);
  const flow = workflow("gets its own", async () => {
    const controller = new AbortController();
    const [given, signal] = (await returns(controller, controller.signal)) as unknown[];
    return [given === controller, signal === controller.signal];
  });
  await process();
  expect(await until((await client.start(flow, [])).returnValue)).toEqual([true, true]);
});

it("takes a signal that a step made, and the abort of it", async () => {
  const all = cluster();
  const { process, client, until } = all;
  let made: AbortController | undefined;
  const makes = step("makes", async () => {
    made = new AbortController();
    return made;
  });
  const flow = workflow("gets one", async () => {
    const controller = await makes();
    return await reasonOf(controller.signal);
  });
  await process();
  const run = await client.start(flow, []);
  await all.settle();
  made?.abort("later");
  expect(await until(run.returnValue)).toBe("later");
  expect(await replayed(all, run, "gets one")).toBe("returned");
});

it("sleeps durably for AbortSignal.timeout, and combines signals", async () => {
  const all = cluster();
  const { process, client, until, clock, settle, row, types } = all;
  const waits = step("waits for any", async (signal: AbortSignal) => await interrupted(signal));
  const flow = workflow("has a timeout", async () => {
    const controller = new AbortController();
    const any = AbortSignal.any([controller.signal, AbortSignal.timeout(3_600_000)]);
    const token = createHook({ token: "never" });
    const error = await Promise.race([reasonOf(any), token]);
    return [error, await waits(any).catch((thrown: unknown) => thrown)];
  });
  const first = await process();
  const run = await client.start<{ name: string }[]>(flow, []);
  await settle();
  expect(row(run.runId).owner).toBe(null);
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  const [reason, thrown] = await until(run.returnValue);
  expect(reason).toMatchObject({ name: "TimeoutError" });
  expect(thrown).toMatchObject({ name: "TimeoutError" });
  expect(types(run.runId).filter((type) => type.startsWith("wait"))).toEqual([
    "wait_created",
    "wait_completed",
  ]);
  expect(await replayed(all, run, "has a timeout")).toBe("returned");
});

it("aborts what runs in a child, and in a step of it, by mail and not by looking", async () => {
  const all = cluster();
  const { process, client, until, settle, clock, row } = all;
  const deep = step("deep", async (signal: AbortSignal) => await interrupted(signal));
  const child = workflow("child under it", async (signal: AbortSignal) => {
    const reasons: unknown[] = [];
    signal.addEventListener("abort", () => reasons.push(signal.reason));
    const error = await deep(signal).catch((thrown: unknown) => thrown);
    return { reasons, error };
  });
  const parent = workflow("aborts its child", async () => {
    const controller = new AbortController();
    const run = await start(child, [controller.signal]);
    await sleep("1h");
    controller.abort("enough");
    return await run.returnValue;
  });
  const first = await process({ workflows: [child] });
  const second = await process({ workflows: [parent] });
  const run = await client.start<unknown>(parent, []);
  await settle();
  expect(row(run.runId)).toMatchObject({ owner: null });
  second.kill();
  await clock.advance(LEASE + 1);
  await process({ workflows: [parent] });
  expect(await until(run.returnValue)).toMatchObject({
    reasons: ["enough"],
    error: { name: "AbortError", reason: "enough" },
  });
  expect(first.logs.filter(({ level }) => level === "error")).toEqual([]);
  const [childRun] = (await client.world.listRuns({ attributes: { $parent: run.runId }, limit: 1 })).runs;
  const id = childRun?.runId ?? "";
  expect((await coldReplay({ runId: id, workflow: "child under it" }, all.journal(id), clock)).outcome).toBe(
    "returned",
  );
  expect(await replayed(all, run, "aborts its child")).toBe("returned");
});

it("aborts the parent's signal from a child that has the controller", async () => {
  const all = cluster();
  const { process, client, until } = all;
  const child = workflow("child that aborts", async (controller: AbortController) => {
    controller.abort("from below");
  });
  const parent = workflow("is aborted", async () => {
    const controller = new AbortController();
    await start(child, [controller]);
    return await reasonOf(controller.signal);
  });
  await process();
  const run = await client.start(parent, []);
  expect(await until(run.returnValue)).toBe("from below");
  expect(await replayed(all, run, "is aborted")).toBe("returned");
});

it("tells a run that asks too late: of a signal that was aborted, whose run has ended", async () => {
  const all = cluster();
  const { process, client, until, settle } = all;
  const late = workflow("late", async () => {
    const inbox = createHook<AbortSignal>({ token: "late" });
    const signal = await inbox;
    return await Promise.race([reasonOf(signal), sleep("1m")]);
  });
  const home = workflow("home", async (aborts: boolean) => {
    const controller = new AbortController();
    const run = await start(late, [], { onParentEnd: "leave" });
    await sleep("1s");
    await hands(controller.signal);
    if (aborts) controller.abort("long ago");
    return run.runId;
  });
  const hands = step("hands on", async (signal: AbortSignal) => {
    await client.resumeHook("late", signal);
  });
  await process({ workflows: [home] });
  for (const aborts of [true, false]) {
    const run = await client.start<string>(home, [aborts]);
    const id = await until(
      (async () => {
        const started = client.getRun<unknown>(await starts(all, run));
        return started.runId;
      })(),
    );
    const other = await process({ workflows: [late] });
    await settle();
    await until(run.returnValue);
    const result = await until(client.getRun(id).returnValue);
    expect(result).toBe(aborts ? "long ago" : undefined);
    await other.worker.close({ timeout: 0 });
  }
});

/** The child of a run, once it is there. */
async function starts({ client, when }: Cluster, run: Run<unknown>): Promise<string> {
  let id: string | undefined;
  await when(async () => {
    const { runs } = await client.world.listRuns({ attributes: { $parent: run.runId }, limit: 1 });
    id = runs[0]?.runId;
    return id !== undefined;
  });
  return id ?? "";
}

it("keeps what was aborted, and who waits for it, when it continues as new", async () => {
  const all = cluster();
  const { process, client, until, settle, journal, clock } = all;
  const child = workflow("outlives a generation", async (signal: AbortSignal) => await reasonOf(signal));
  const flow = workflow("goes on", async (n: number, controller?: AbortController): Promise<unknown> => {
    if (n === 0) {
      const own = new AbortController();
      await start(child, [own.signal], { onParentEnd: "leave" });
      await createHook({ token: "next" });
      return await continueAsNew([1, own]);
    }
    controller?.abort("in the next one");
    await createHook({ token: "last" });
    return "over";
  });
  await process();
  const run = await client.start(flow, [0]);
  const id = await starts(all, run);
  await settle();
  await client.resumeHook("next", null);
  expect(await until(client.getRun(id).returnValue)).toBe("in the next one");
  expect(all.types(run.runId)).toContain("signal_kept");
  const waiting = await coldReplay(
    { runId: run.runId, workflow: "goes on", generation: 1 },
    journal(run.runId),
    clock,
  );
  expect(waiting).toMatchObject({ outcome: "open", unmatched: [] });
});

it("answers whoever asked in the last moment, from what the journal says", async () => {
  const all = cluster();
  const { process, client, until, settle, clock } = all;
  const child = workflow("asks in the last moment", async (signal: AbortSignal) => {
    return await Promise.race([reasonOf(signal), sleep("1d")]);
  });
  const flow = workflow("ends meanwhile", async () => {
    const controller = new AbortController();
    await start(child, [controller.signal], { onParentEnd: "leave" });
    controller.abort("before the end");
  });
  const first = await process({ workflows: [flow] });
  // The run ends while the message of its child is in the store and not read.
  let held = false;
  first.fault(async (operation) => {
    if (held || operation !== "commit") return;
    const { runs } = await client.world.listRuns({ attributes: { $parent: run.runId }, limit: 1 });
    if (runs.length === 0) return;
    held = true;
    await process({ workflows: [child] });
    await clock.advance(0);
  });
  const run = await client.start(flow, []);
  const id = await starts(all, run);
  await settle();
  expect(await until(client.getRun(id).returnValue)).toBe("before the end");
  expect(held).toBe(true);
});

it("goes on with the signals of the run that it was forked from", async () => {
  const all = cluster();
  const { process, client, until } = all;
  let broken = true;
  const takes = step("takes a signal", async (signal: AbortSignal) => {
    if (broken) throw new FatalError("no");
    return await interrupted(signal);
  });
  const aborts = step("aborts one", async (controller: AbortController) => controller.abort("first"));
  const flow = workflow("is tried again", async () => {
    const [one, two] = [new AbortController(), new AbortController()];
    await aborts(one);
    const ended = takes(two.signal);
    await sleep("1s");
    two.abort("second");
    const error = await ended.catch((thrown: unknown) => thrown);
    if ((error as Error).message === "no") throw error;
    return [one.signal.reason as unknown, error];
  });
  await process();
  const run = await client.start<unknown>(flow, []);
  await until(run.returnValue.then(null, () => {}));
  broken = false;
  const again = client.getRun<unknown>((await run.retry()).runId);
  expect(await until(again.returnValue)).toMatchObject(["first", { name: "AbortError", reason: "second" }]);
});

it("aborts the signals of a cancelled run's steps", async () => {
  const { process, client, settle } = cluster();
  const seen: unknown[] = [];
  const waits = step("is cancelled", async (signal: AbortSignal) => {
    seen.push(await reasonOf(signal), getStepMetadata().signal.aborted);
    throw signal.reason;
  });
  const flow = workflow("cancelled under it", async () => await waits(new AbortController().signal));
  await process();
  const run = await client.start(flow, []);
  await settle();
  await run.cancel({ reason: "no more" });
  await settle();
  expect(await run.status).toBe("cancelled");
  expect(seen).toMatchObject([{ name: "WorkflowRunCancelledError", reason: "no more" }, true]);
});

it("ties a signal of ordinary code to the run that gets it", async () => {
  const all = cluster();
  const { process, client, until, settle } = all;
  const flow = workflow("has one from outside", async (args: { readonly signal: AbortSignal }) => {
    const inbox = createHook<AbortController>({ token: "another" });
    const first = await reasonOf(args.signal);
    const { signal } = await inbox;
    return [first, await reasonOf(signal)];
  });
  await process();
  const [one, two] = [new AbortController(), new AbortController()];
  const options = { idempotencyKey: "one" };
  const run = await client.start<unknown[]>(flow, [{ signal: one.signal }], options);
  const again = await client.start<unknown[]>(flow, [{ signal: new AbortController().signal }], options);
  expect(again.runId).toBe(run.runId);
  await settle();
  one.abort("from outside");
  await settle();
  await client.resumeHook("another", two);
  two.abort("from outside as well");
  expect(await until(run.returnValue)).toEqual(["from outside", "from outside as well"]);
  expect(await replayed(all, run, "has one from outside")).toBe("returned");
});

it.each([
  ["throws", (signal: AbortSignal, error: Error) => signal.addEventListener("abort", () => raise(error))],
  [
    "rejects",
    (signal: AbortSignal, error: Error) => signal.addEventListener("abort", async () => raise(error)),
  ],
  [
    "is onabort",
    (signal: AbortSignal, error: Error) => {
      signal.onabort = () => raise(error);
    },
  ],
  [
    "is an object",
    (signal: AbortSignal, error: Error) =>
      signal.addEventListener("abort", { handleEvent: () => raise(error) }),
  ],
  [
    "is of a combined signal",
    (signal: AbortSignal, error: Error) =>
      AbortSignal.any([signal]).addEventListener("abort", () => raise(error)),
  ],
] as const)("a listener that %s fails the run, not the worker", async (how, listen) => {
  const all = cluster();
  const { process, client, until } = all;
  const name = `has a listener that ${how}`;
  const flow = workflow(name, async () => {
    const controller = new AbortController();
    listen(controller.signal, new TypeError("of the listener"));
    await sleep("1s");
    controller.abort();
    await sleep("1s");
    return "went on";
  });
  await process();
  const run = await client.start(flow, []);
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  expect(error).toMatchObject({
    name: "WorkflowRunFailedError",
    errorCode: "USER_ERROR",
    cause: { name: "TypeError", message: "of the listener" },
  });
  expect(await replayed(all, run, name)).toBe("threw");
});

it("a listener that is removed is not called, and one that was added twice is called once", async () => {
  const { process, client, until } = cluster();
  const flow = workflow("removes a listener", async () => {
    const { signal, ...controller } = controllerOf();
    const heard: string[] = [];
    const removed = (): unknown => heard.push("removed");
    const kept = (): unknown => heard.push("kept");
    for (const listener of [removed, kept, kept]) signal.addEventListener("abort", listener);
    signal.removeEventListener("abort", removed);
    controller.abort();
    return heard;
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual(["kept"]);
});

function controllerOf(): { signal: AbortSignal; abort: () => void } {
  const controller = new AbortController();
  return { signal: controller.signal, abort: () => controller.abort() };
}

function raise(error: Error): never {
  throw error;
}
