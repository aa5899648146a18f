import { sleep, step, workflow } from "@perdure/core";
import { Client } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE, skewed } from "./cluster.ts";

const HOUR = 3_600_000;

const naps = workflow("naps", async () => {
  await sleep("2s");
  return "awake";
});

it("sleeps for as long as it was asked to when the starter's clock is an hour ahead", async () => {
  const { process, clock, world, until } = cluster({ storeClock: true });
  const client = new Client({ world, clock: skewed(clock, () => HOUR) });
  await process();
  const began = clock.now();
  const run = await client.start(naps, []);
  expect(await until(run.returnValue)).toBe("awake");
  expect(clock.now() - began).toBeLessThan(4_000);
});

it("sleeps no shorter by the workflow's own clock when the worker's was set back a little before", async () => {
  const { process, client, world, settle, until } = cluster({ storeClock: true });
  let ahead = 500;
  const claim: typeof world.claim = async (...request) => {
    const claimed = await world.claim(...request);
    return { ...claimed, now: claimed.now + ahead };
  };
  const opened = gate();
  const work = step("work", async () => await opened.promise);
  const flow = workflow("measures a nap", async () => {
    await work();
    const before = Date.now();
    await sleep(7);
    return Date.now() - before;
  });
  await process({ world: { ...world, claim } });
  const run = await client.start(flow, []);
  await settle();
  ahead = 0;
  await client.start(naps, []);
  await settle();
  opened.open();
  expect(await until(run.returnValue)).toBeGreaterThanOrEqual(7);
});

it("takes a run at once whose starter's clock is an hour ahead", async () => {
  const { clock, world, row } = cluster({ storeClock: true });
  const client = new Client({ world, clock: skewed(clock, () => HOUR) });
  const run = await client.start(naps, []);
  expect(row(run.runId).dueAt).toBe(clock.now());
});

it("looks for due runs after its first claim, which has set its clock back by an hour, as often as ever", async () => {
  const { process, clock, client, world, settle, until } = cluster({ storeClock: true });
  // It hears of nothing.
  await process({
    clock: skewed(clock, () => HOUR),
    world: { ...world, subscribe: () => () => {} },
  });
  await settle();
  const began = clock.now();
  const run = await client.start(naps, []);
  expect(await until(run.returnValue)).toBe("awake");
  expect(clock.now() - began).toBeLessThan(4_000);
});

for (const ahead of [HOUR, -HOUR]) {
  it(`sleeps for as long as it was asked to on a worker whose clock is ${ahead / HOUR} hours ahead`, async () => {
    const { process, clock, client, until } = cluster({ storeClock: true });
    const { logs } = await process({ clock: skewed(clock, () => ahead) });
    const began = clock.now();
    const run = await client.start(naps, []);
    expect(await until(run.returnValue)).toBe("awake");
    expect(clock.now() - began).toBeLessThan(4_000);
    expect(logs).toContainEqual(
      expect.objectContaining({ level: "warn", fields: { world: "memory", milliseconds: ahead } }),
    );
  });

  it(`executes no step twice when the clock of a worker jumps by ${ahead / HOUR} hours`, async () => {
    const { process, clock, client, until, settle, journal } = cluster({ storeClock: true });
    let jump = 0;
    let calls = 0;
    const done = gate();
    const long = step("long", async () => {
      calls++;
      await done.promise;
    });
    const flow = workflow("long flow", async () => await long());
    await process({ clock: skewed(clock, () => jump) });
    await process();
    const run = await client.start(flow, []);
    await settle();
    jump = ahead;
    await clock.advance(4 * LEASE);
    done.open();
    await until(run.returnValue);
    expect(calls).toBe(1);
    expect(journal(run.runId).filter(({ type }) => type === "step_retrying")).toEqual([]);
  });
}

it("renews what it holds before it claims, when it has stood still for longer than a lease", async () => {
  const { process, clock, client, until, settle, types } = cluster();
  let calls = 0;
  const done = gate<string>();
  const long = step("long", async () => {
    calls++;
    return await done.promise;
  });
  const flow = workflow("frozen flow", async () => await long());
  const frozen = { until: 0 };
  // As after SIGSTOP: monotonic time went on, and every timer that came due meanwhile fires at once, claims before renewals.
  const { fault } = await process({
    pollInterval: 100,
    clock: { ...clock, setTimer: (at, fn) => clock.setTimer(Math.max(at, frozen.until), fn) },
  });
  const run = await client.start(flow, []);
  await settle();
  frozen.until = clock.now() + 3 * LEASE;
  await clock.advance(3 * LEASE);
  fault(null);
  done.open("once");
  expect(await until(run.returnValue)).toBe("once");
  expect(calls).toBe(1);
  expect(types(run.runId)).not.toContain("step_retrying");
});

it("claims nothing while it cannot renew what may have run out", async () => {
  const { process, clock, client, settle, row } = cluster();
  const flow = workflow("held flow", async () => await step("never", () => new Promise<void>(() => {}))());
  const frozen = { until: 0 };
  const { fault, logs } = await process({
    pollInterval: 100,
    clock: { ...clock, setTimer: (at, fn) => clock.setTimer(Math.max(at, frozen.until), fn) },
  });
  const run = await client.start(flow, []);
  await settle();
  const { epoch } = row(run.runId);
  fault((operation) => {
    if (operation === "renew") throw new Error("the store is away");
  });
  frozen.until = clock.now() + 3 * LEASE;
  await clock.advance(3 * LEASE + 5_000);
  expect(logs.some(({ message }) => message.startsWith("leases could not be renewed"))).toBe(true);
  expect(row(run.runId).epoch).toBe(epoch);
  fault(null);
  await clock.advance(5_000);
  expect(row(run.runId).epoch).toBe(epoch);
});
