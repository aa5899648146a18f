import { acquireLock, createHook, sleep, workflow } from "@perdure/core";
import { WorkflowRuntimeError } from "@perdure/core/errors";
import { waitForHook, waitForSleep } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

const sleeps = workflow("wait-for/sleeps", async () => {
  // Its time limit is no sleep.
  await acquireLock("wait-for/lock", { timeout: "1 hour" });
  await sleep("1 day");
  await sleep("1 week");
  return "awake";
});

it("finds each sleep as the run comes to it, and moves no time", async () => {
  const { client, process, until, clock } = cluster();
  await process();
  const begin = clock.now();
  const run = await client.start(sleeps, []);
  const first = await waitForSleep(run);
  await run.wakeUp({ correlationIds: [first] });
  await expect.poll(async () => await waitForSleep(run)).not.toBe(first);
  await run.wakeUp();
  expect(await until(run.returnValue)).toBe("awake");
  expect(clock.now() - begin).toBeLessThan(86_400_000);
});

const asks = workflow("wait-for/asks", async () => {
  using one = createHook<number>({ token: "wait-for/one" });
  using two = createHook<number>({ token: "wait-for/two" });
  return (await one) + (await two);
});

it("finds the hook with a token, and the one that nothing was sent to", async () => {
  const { client, process, until } = cluster();
  await process();
  const run = await client.start(asks, []);
  const { token, runId } = await waitForHook(run, { token: "wait-for/two" });
  expect({ token, runId }).toEqual({ token: "wait-for/two", runId: run.runId });
  const first = await waitForHook(run);
  expect(first.token).toBe("wait-for/one");
  await client.resumeHook(first.token, 1);
  await expect.poll(async () => (await waitForHook(run)).token).toBe("wait-for/two");
  await client.resumeHook(token, 2);
  expect(await until(run.returnValue)).toBe(3);
});

it("says why there is nothing to wait for", async () => {
  const { client, process, until } = cluster();
  const quick = workflow("wait-for/quick", async () => 1);
  await process();
  const run = await client.start(quick, []);
  await until(run.returnValue);
  const ended = await waitForSleep(run).catch((error: unknown) => error);
  expect(WorkflowRuntimeError.is(ended) && ended.message).toMatch(/has ended \(completed\)/);
  const sleeping = await client.start(sleeps, []);
  const late = await waitForHook(sleeping, { timeout: 1 }).catch((error: unknown) => error);
  expect(WorkflowRuntimeError.is(late) && late.message).toMatch(/did not wait for a hook within 1 ms/);
});
