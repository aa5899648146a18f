import { createHook, getStepMetadata, sleep, step, workflow } from "@perdure/core";
import { getRun, resumeHook, start } from "@perdure/core/api";
import { ReplayDivergenceError, WorkflowRuntimeError } from "@perdure/core/errors";
import { getWorld } from "@perdure/core/runtime";
import {
  deploy,
  memoryWorld,
  type TestEnvironment,
  testEnvironment,
  waitForHook,
  waitForSleep,
  waitForStep,
} from "@perdure/core/testing";
import { afterEach, beforeEach, expect, it } from "vitest";

// What tests of users' workflows are written with.

let t: TestEnvironment;
beforeEach(async () => {
  deploy();
  t = await testEnvironment();
});
afterEach(() => t.close());

const DAY = 86_400_000;

it("gives what a run returns, moving time on as long as it takes", async () => {
  const remind = step("remind", async (n: number) => `reminder ${n}`);
  const reminders = workflow("reminders", async () => {
    const sent: string[] = [];
    for (let n = 1; n <= 3; n++) {
      sent.push(await remind(n));
      await sleep("30 days");
    }
    return { sent, at: Date.now() };
  });
  const began = t.clock.now();
  const { sent, at } = await t.result(await start(reminders));
  expect(sent).toEqual(["reminder 1", "reminder 2", "reminder 3"]);
  expect(at - began).toBe(90 * DAY);
  expect(t.clock.now() - began).toBe(90 * DAY);
});

it("throws what a run throws", async () => {
  const fails = workflow("fails", async () => {
    throw new Error("no");
  });
  await expect(t.result(await start(fails))).rejects.toThrow(/no/);
});

it("skips from one wake-up to the next", async () => {
  const naps = workflow("naps", async () => {
    await sleep("1 hour");
    await sleep("1 day");
    return await createHook<string>({ token: "on" });
  });
  const began = t.clock.now();
  const run = await start(naps);
  await waitForSleep(run);
  expect(await t.skip()).toBe(true);
  expect(t.clock.now() - began).toBe(3_600_000);
  await t.advance("1 day");
  expect(t.clock.now() - began).toBe(3_600_000 + DAY);
  const { token } = await waitForHook(run);
  expect(await t.skip()).toBe(false);
  expect(t.clock.now() - began).toBe(3_600_000 + DAY);
  const waiting = await t.result(run).catch((error: unknown) => error);
  expect(WorkflowRuntimeError.is(waiting) && waiting.message).toMatch(/something that time does not bring/);
  await resumeHook(token, "payload");
  expect(await t.result(run)).toBe("payload");
});

it("begins at a time, and in a World in memory that is the test's own", async () => {
  await t.close();
  t = await testEnvironment({ startAt: new Date("2030-05-01T12:00:00Z") });
  const today = workflow("today", async () => new Date().toISOString());
  const run = await start(today, [], { idempotencyKey: "one" });
  expect(await t.result(run)).toBe("2030-05-01T12:00:00.000Z");
  const { runId } = run;
  await t.close();
  t = await testEnvironment();
  expect(getWorld()).toBe(t.world);
  expect(await getRun(runId).exists).toBe(false);
  expect((await start(today, [], { idempotencyKey: "one" })).runId).not.toBe(runId);
});

it("waits for steps that take real time, and skips the pauses between their attempts", async () => {
  let calls = 0;
  const real = step("real", async () => {
    await new Promise((resolve) => setTimeout(resolve, 30));
    if (++calls < 4) throw new Error("again");
    return calls;
  });
  const flow = workflow("flow", async () => await real());
  expect(await t.result(await start(flow))).toBe(4);
});

it("moves time on to the timeout of a step that hangs", async () => {
  const hangs = step("hangs", async () => await new Promise<never>(() => {}), {
    timeout: "5 minutes",
    maxRetries: 0,
  });
  const flow = workflow("flow", async () => await hangs());
  const run = await start(flow);
  await waitForStep(run);
  expect(await t.skip()).toBe(true);
  await expect(t.result(run)).rejects.toThrow(/5 ?m|300|timeout/i);
});

it("puts stubs in the place of steps, with their types, until it is closed", async () => {
  const charge = step("charge", async (customer: string, cents: number): Promise<{ id: string }> => {
    throw new Error(`a call to the outside: ${customer} ${cents}`);
  });
  const flow = workflow("flow", async () => await charge("cus_1", 4200));
  const calls: unknown[] = [];
  t.stub(charge, async (customer, cents) => {
    calls.push([customer, cents, getStepMetadata().stepName]);
    return { id: "ch_1" };
  });
  // @ts-expect-error: a stub gives what the step gives.
  const restore = t.stub(charge, async () => 5);
  restore();
  t.stub(charge, (customer: string, cents: number) => {
    calls.push([customer, cents, getStepMetadata().stepName]);
    return { id: "ch_1" };
  });
  expect(await t.result(await start(flow))).toEqual({ id: "ch_1" });
  expect(calls).toEqual([["cus_1", 4200, "charge"]]);
  await t.close();
  t = await testEnvironment();
  const run = await start(flow);
  await expect(t.result(run)).rejects.toThrow(/a call to the outside/);
  expect(() =>
    t.stub(
      async () => 1,
      () => 1,
    ),
  ).toThrow(/no step/);
});

it("kills here: the step's next attempt is another process's", async () => {
  const attempts: number[] = [];
  const charge = step("charge", async () => {
    const { attempt } = getStepMetadata();
    attempts.push(attempt);
    if (attempt === 1) await t.kill();
    return attempt;
  });
  const flow = workflow("flow", async () => await charge());
  const began = t.clock.now();
  expect(await t.result(await start(flow))).toBe(2);
  expect(attempts).toEqual([1, 2]);
  expect(t.clock.now() - began).toBeLessThan(1000);
});

it("lets calls of the World have accidents", async () => {
  const attempts: string[] = [];
  const work = step("work", async (n: number) => {
    attempts.push(`${n}.${getStepMetadata().attempt}`);
    return n;
  });
  const flow = workflow("flow", async () => (await work(1)) + (await work(2)));
  t.accident("commit", "answer lost");
  expect(await t.result(await start(flow))).toBe(3);
  expect(attempts).toEqual(["1.1", "2.1"]);
  attempts.length = 0;
  // The first commit creates the first step; the second has its result.
  t.accident("commit", "killed before", { skip: 1 });
  expect(await t.result(await start(flow))).toBe(3);
  expect(attempts).toEqual(["1.1", "1.2", "2.1"]);
  attempts.length = 0;
  t.accident("commit", "killed after", { skip: 1 });
  expect(await t.result(await start(flow))).toBe(3);
  expect(attempts).toEqual(["1.1", "2.2"]);
  t.accident("claim", "request lost");
  expect(await t.result(await start(flow))).toBe(3);
  expect(() => t.accident("comit" as "commit", "answer lost")).toThrow(/no verb "comit"/);
});

it("replays every turn cold, so that code which does something else the second time is found at once", async () => {
  const work = step("work", async (n: number) => n);
  const other = step("other", async (n: number) => n);
  let calls = 0;
  const flow = workflow("flow", async () => {
    const first = calls++ === 0;
    const one = first ? await work(1) : await other(1);
    return one + (await work(2));
  });
  expect(await t.result(await start(flow))).toBe(3);
  await t.close();
  t = await testEnvironment({ alwaysReplay: true });
  calls = 0;
  const run = await start(flow);
  const error = await t.result(run).catch((thrown: unknown) => thrown);
  expect(ReplayDivergenceError.is(error), String(error)).toBe(true);
  expect(String(error)).toMatch(/work/);
});

it("replays cold what is deterministic, and finds nothing", async () => {
  await t.close();
  t = await testEnvironment({ alwaysReplay: true });
  const work = step("work", async (n: number) => n);
  const flow = workflow("flow", async () => {
    const parts = await Promise.all([
      work(Math.floor(Math.random() * 10)),
      work(2),
      sleep("1 day").then(() => 3),
    ]);
    const hook = createHook<number>({ token: `of ${Date.now()}` });
    const paid = await Promise.race([hook, sleep("1 hour").then(() => 0)]);
    hook.dispose?.();
    return parts.length + paid;
  });
  expect(await t.result(await start(flow))).toBe(3);
});

it("finds in a waiting run what it did otherwise", async () => {
  await t.close();
  t = await testEnvironment({ alwaysReplay: true });
  let calls = 0;
  const flow = workflow("flow", async () => await createHook({ token: `token ${calls++}` }));
  const run = await start(flow);
  await expect(t.result(run)).rejects.toSatisfy(ReplayDivergenceError.is);
});

it("finds a value that is another one in each replay", async () => {
  await t.close();
  t = await testEnvironment({ alwaysReplay: true });
  let calls = 0;
  const flow = workflow("flow", async () => {
    await sleep("1 day");
    return calls++;
  });
  await expect(t.result(await start(flow))).rejects.toThrow(/run_completed, with another value/);
});

it("runs on a World that is asked for", async () => {
  await t.close();
  const world = memoryWorld();
  t = await testEnvironment({ world });
  const attempts: number[] = [];
  const charge = step("charge", async () => {
    attempts.push(getStepMetadata().attempt);
    if (attempts.length === 1) await t.kill();
    return attempts.length;
  });
  const flow = workflow("flow", async () => {
    const charged = await charge();
    await sleep("2 hours");
    return charged;
  });
  const run = await start(flow);
  expect(await t.result(run)).toBe(2);
  await t.close();
  expect((await world.getRuns([run.runId]))[0]?.status).toBe("completed");
});

it("is one at a time, and leaves no configuration behind", async () => {
  await expect(testEnvironment()).rejects.toThrow(/another one is open/);
  await t.close();
  expect(() => getWorld()).toThrow(/No World is configured/);
});
