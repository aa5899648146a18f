import {
  getStepMetadata,
  getWorkflowMetadata,
  getWritable,
  setState,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import type { Run } from "@perdure/core/api";
import { LeaseLostError, StepTimeoutError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE, type LogEntry } from "./cluster.ts";

// The slots of a worker: who has one, for how long, and what becomes of bodies that do not stop.

const named = (logs: readonly LogEntry[], level: string, part: string) =>
  logs.filter((entry) => entry.level === level && entry.message.includes(part));

/** A step that never ends and never looks at its signal. */
const deaf = step("deaf", () => new Promise<never>(() => {}), { timeout: 50, maxRetries: 0 });
const quick = step("quick", async () => "done");
const other = workflow("unrelated", async () => await quick());

it("frees the slots of bodies that ignore their timeout, counts them and names them", async () => {
  const { process, client, until, clock } = cluster();
  const flow = workflow("times out", async () => await deaf().catch(() => "timed out"));
  const { worker, logs } = await process({ concurrency: 5, maxDetached: 20 });
  const runs = await Promise.all(Array.from({ length: 10 }, () => client.start(flow, [])));
  await until(Promise.all(runs.map((run) => run.returnValue)));
  expect(await until((await client.start(other, [])).returnValue)).toBe("done");
  await clock.advance(1_000);
  expect(worker.health()).toMatchObject({
    ok: true,
    detached: { count: 10, limit: 20 },
    slots: { limit: 5, inUse: 0, queued: 0 },
  });
  const warnings = named(logs, "warn", "goes on although its attempt is over");
  expect(warnings.map(({ fields }) => fields.runId).sort()).toEqual(runs.map(({ runId }) => runId).sort());
  expect(warnings[0]?.fields).toMatchObject({ step: "deaf", workflow: "times out", attempt: 1 });
  expect(new Date(warnings[0]?.fields.since as string).getTime()).toBeLessThan(clock.now());
});

it("frees the slot also when the run is cancelled, ends without the step, or is lost", async () => {
  const { process, client, clock, until, settle } = cluster();
  const never = step("never", () => new Promise<never>(() => {}));
  const cancelled = workflow("cancelled", async () => await never());
  const raced = workflow("raced", async () => await Promise.race([never(), quick()]));
  const { worker, fault } = await process({ concurrency: 3 });
  const one = await client.start(cancelled, []);
  await settle();
  await one.cancel();
  const two = await client.start(raced, []);
  await until(Promise.allSettled([one.returnValue, two.returnValue]));
  const three = await client.start(
    workflow("lost", async () => await never()),
    [],
  );
  await settle();
  const thaw = gate();
  fault(() => thaw.promise);
  await process({ workflows: ["lost"] });
  await clock.advance(LEASE + 5_000);
  fault(null);
  thaw.open();
  await until((await client.start(other, [])).returnValue);
  await clock.advance(1_000);
  expect(worker.health()).toMatchObject({ detached: { count: 3 }, slots: { inUse: 0 } });
  expect(await three.status).toBe("running");
});

it("takes no more runs at the limit, says so, and goes on when a body has ended", async () => {
  const { process, client, clock, until, settle, row } = cluster();
  const opened = gate();
  const late = step("late", () => opened.promise, { timeout: 50, maxRetries: 0 });
  const flow = workflow("late", async () => await late().catch(() => {}));
  const { worker, logs } = await process({ concurrency: 2, maxDetached: 2 });
  const runs = await Promise.all([1, 2, 3].map(() => client.start(flow, [])));
  await until(Promise.all(runs.map((run) => run.returnValue)));
  await clock.advance(500);
  expect(worker.health()).toMatchObject({ ok: false, detached: { count: 3, limit: 2 }, slots: { inUse: 1 } });
  expect(worker.health().reasons.join()).toMatch(/maxDetached is 2/);
  expect(named(logs, "error", "takes no more runs")).toHaveLength(1);
  expect(named(logs, "error", "takes no more runs")[0]?.fields).toMatchObject({ steps: ["late"] });
  const waiting = await client.start(other, []);
  await clock.advance(5_000);
  expect(row(waiting.runId).status).toBe("pending");
  expect(worker.accepts("unrelated")).toBe(false);
  opened.open();
  await settle();
  expect(await until(waiting.returnValue)).toBe("done");
  expect(worker.health()).toMatchObject({
    ok: true,
    reasons: [],
    detached: { count: 0 },
    slots: { inUse: 0 },
  });
});

it("does not count bodies that end soon after their attempt", async () => {
  const { process, client, clock, until } = cluster();
  const obeys = step(
    "obeys",
    async () => {
      const { signal } = getStepMetadata();
      await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    },
    { timeout: 50, maxRetries: 0 },
  );
  const { worker, logs } = await process({ maxDetached: 1 });
  const run = await client.start(
    workflow("obedient", async () => await obeys().catch(() => "over")),
    [],
  );
  expect(await until(run.returnValue)).toBe("over");
  await clock.advance(1_000);
  expect(worker.health()).toMatchObject({ ok: true, detached: { count: 0 } });
  expect(logs).toEqual([]);
});

it("never calls a body beside itself: the next attempt waits for it, and drops what it returns late", async () => {
  const { process, client, clock, until } = cluster();
  const [first, second] = [gate<string>(), gate<string>()];
  let running = 0;
  let most = 0;
  const work = step(
    "overlaps",
    async () => {
      most = Math.max(most, ++running);
      const value = await (getStepMetadata().attempt === 1 ? first : second).promise;
      running--;
      return value;
    },
    { timeout: "10s", backoff: () => 0 },
  );
  await process();
  const run = await client.start(
    workflow("no overlap", async () => await work()),
    [],
  );
  await clock.advance(15_000);
  expect(running).toBe(1);
  first.open("late");
  second.open("second");
  expect(await until(run.returnValue)).toBe("second");
  expect(most).toBe(1);
});

it("fails a step whose body never ends, after its timeout for each attempt, and says which attempt still runs", async () => {
  const { process, client, clock, until } = cluster();
  let calls = 0;
  const hung = step(
    "hung",
    async () => {
      calls++;
      await new Promise<never>(() => {});
    },
    {
      timeout: 1_000,
      maxRetries: 2,
      backoff: () => 0,
    },
  );
  await process();
  const begun = clock.now();
  const run = await client.start(
    workflow("hangs", async () => await hung()),
    [],
  );
  const error = (await until(run.returnValue.catch((reason: unknown) => reason))) as { cause: Error };
  expect(StepTimeoutError.is(error.cause.cause)).toBe(true);
  expect((error.cause.cause as Error).message).toMatch(
    /Attempt 3 .* did not begin within 1000 ms, because attempt 1 still runs/,
  );
  expect(calls).toBe(1);
  expect(clock.now() - begun).toBeLessThan(4_000);
});

it("uses what a body returns when its run was lost and has come back, unless the body knew of it", async () => {
  for (const looks of [false, true]) {
    const { process, client, clock, until, settle } = cluster();
    const opened = gate<string>();
    const calls: number[] = [];
    let reason: unknown;
    const work = step(`comes back ${looks}`, async () => {
      const { attempt } = getStepMetadata();
      calls.push(attempt);
      if (attempt > 1) return "again";
      if (looks) {
        const { signal } = getStepMetadata();
        signal.addEventListener("abort", () => {
          reason = signal.reason;
        });
      }
      return await opened.promise;
    });
    const { fault, worker, world } = await process();
    const run = await client.start(
      workflow(`comes back ${looks}`, async () => await work()),
      [],
    );
    await settle();
    // Renewals fail until the lease has run out, and a worker of the same process claims the run.
    await process({ world });
    fault((operation) => {
      if (operation === "renew") throw new Error("the store is down");
    });
    await clock.advance(LEASE + 5_000);
    fault(null);
    await clock.advance(LEASE / 2);
    expect(calls).toEqual([1]);
    opened.open("first");
    expect(await until(run.returnValue)).toBe(looks ? "again" : "first");
    expect(calls).toEqual(looks ? [1, 2] : [1]);
    expect(LeaseLostError.is(reason)).toBe(looks);
    await clock.advance(1_000);
    expect(worker.health()).toMatchObject({ detached: { count: 0 }, slots: { inUse: 0, queued: 0 } });
  }
});

it("makes the abort signal of an attempt when the body asks for it, aborted if it was", async () => {
  const { process, client, until } = cluster();
  const seen = gate<boolean>();
  const asksLate = step(
    "asks late",
    async () => {
      const metadata = getStepMetadata();
      await opened.promise;
      seen.open(metadata.signal.aborted);
    },
    { timeout: 50, maxRetries: 0 },
  );
  const opened = gate();
  await process();
  const run = await client.start(
    workflow("asks late", async () => await asksLate().catch(() => {})),
    [],
  );
  await until(run.returnValue);
  opened.open();
  expect(await seen.promise).toBe(true);
});

it("gives slots out in turn to the runs, however many steps one of them has", async () => {
  const { process, client, clock, until } = cluster();
  let done = 0;
  const work = step("a second", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 1_000, resolve));
    done++;
  });
  const wide = workflow(
    "wide",
    async () => void (await Promise.all(Array.from({ length: 200 }, () => work()))),
  );
  const narrow = workflow("narrow", async () => {
    await work();
    await work();
  });
  await process({ concurrency: 4 });
  const large = await client.start(wide, []);
  await clock.advance(1_500);
  const small = await Promise.all([1, 2].map(() => client.start(narrow, [])));
  await until(Promise.all(small.map((run) => run.returnValue)));
  expect(done).toBeLessThan(40);
  await until(large.returnValue);
  expect(done).toBe(204);
});

it("parks a run that has diverged at once, and begins no body of it that waits for the slot", async () => {
  const { process, client, settle, types, when } = cluster();
  const [opened, parked] = [gate(), gate()];
  const calls: string[] = [];
  const first = step("has the slot", async () => {
    calls.push("first");
    await opened.promise;
  });
  const second = step("waits for the slot", async () => void calls.push("second"));
  const flow = workflow("too long", async () => void (await Promise.all([first(), second()])));
  const { fault } = await process({ concurrency: 1, journalLimit: 4 });
  let commits = 0;
  // The one that parks the run is not answered.
  fault((operation) => (operation === "commit" && ++commits > 2 ? parked.promise : undefined));
  const { runId } = await client.start(flow, []);
  await when(() => commits > 2);
  expect(types(runId)).toEqual(["run_created", "run_started", "step_created", "step_created"]);
  opened.open();
  await settle();
  expect(calls).toEqual(["first"]);
  parked.open();
});

it("leases no more runs than maxRuns, however many are started here at once", async () => {
  const { process, client, state, until } = cluster();
  const opened = gate();
  const waits = step("waits", () => opened.promise);
  const flow = workflow("many at once", async () => void (await waits()));
  const { worker } = await process({ maxRuns: 10, concurrency: 100 });
  client.workers.add(worker);
  const runs = await Promise.all(Array.from({ length: 50 }, () => client.start(flow, [])));
  const owned = [...state.runs.values()].filter(({ row }) => row.owner === worker.id);
  expect(owned.length).toBeLessThanOrEqual(10);
  expect(worker.health().heldRuns).toBeLessThanOrEqual(10);
  opened.open();
  await until(Promise.all(runs.map((run) => run.returnValue)));
});

it("gives the places of starts back that made no run", async () => {
  const { process, client, state } = cluster();
  const flow = workflow("keyed", async () => await sleep("1h"));
  const { worker } = await process({ maxRuns: 3 });
  client.workers.add(worker);
  for (let n = 0; n < 10; n++) await client.start(flow, [], { idempotencyKey: "one" });
  expect(state.runs.size).toBe(1);
  expect(worker.accepts("keyed")).toBe(true);
});

it("lets children run whose parents read their states and streams in steps, and steps of a run read each other's", async () => {
  const { process, client, until, clock } = cluster();
  const tell = step("tell", async (text: string) => {
    const writer = getWritable<string>().getWriter();
    await writer.write(text);
    await writer.close();
  });
  const told = async (run: Run): Promise<string> => {
    const reader = run.getReadable<string>().getReader();
    return (await reader.read()).value ?? "";
  };
  const child = workflow("shows something", async () => {
    await tell("child");
    await step("goes on", async () => {})();
    setState("shown");
    await sleep("1 hour");
  });
  const look = step("look", async () => {
    const run = await client.start(child, []);
    return [await told(run), (await run.getState({ after: 0 }))?.value];
  });
  const hear = step("hear", async () => await told(client.getRun(getWorkflowMetadata().workflowRunId)));
  const parent = workflow("looks", async () => {
    const [heard, ...seen] = await Promise.all([hear(), look(), look(), look(), tell("parent")]);
    return [heard, ...seen.slice(0, 3)];
  });
  const { worker } = await process({ concurrency: 2 });
  const run = await client.start(parent, []);
  expect(await until(run.returnValue)).toEqual(["parent", ...Array(3).fill(["child", "shown"])]);
  await clock.advance(1_000);
  expect(worker.health()).toMatchObject({ ok: true, slots: { inUse: 0, queued: 0 } });
});

it("lets children run whose parents wait for them in steps, and names the workflow once", async () => {
  const { process, client, until, clock } = cluster();
  const double = step("double", async (n: number) => 2 * n);
  const child = workflow("child", async (n: number) => await double(n));
  const both = step("both children", async (n: number) => {
    const runs = await Promise.all([n, n + 1].map((each) => client.start<number>(child, [each])));
    const [a, b] = await Promise.all(runs.map((run) => run.returnValue));
    return (a as number) + (b as number);
  });
  const parent = workflow("parent", async (n: number) => await both(n));
  const { worker, logs } = await process({ concurrency: 3, maxRuns: 6 });
  const runs = await Promise.all(Array.from({ length: 12 }, (_, n) => client.start<number>(parent, [n])));
  const values = await until(Promise.all(runs.map((run) => run.returnValue)));
  expect(values).toEqual(Array.from({ length: 12 }, (_, n) => 4 * n + 2));
  const warnings = named(logs, "warn", "a step waits for a run");
  expect(warnings).toHaveLength(1);
  expect(warnings[0]?.fields).toMatchObject({ workflow: "parent", step: "both children" });
  await clock.advance(1_000);
  expect(worker.health()).toMatchObject({ ok: true, slots: { inUse: 0, queued: 0 } });
});
