import { sleep, step, workflow } from "@perdure/core";
import { NonDeterminismError } from "@perdure/core/errors";
import { createWorker } from "@perdure/core/runtime";
import { coldReplay } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// What a workflow sees of time and chance is the journal's, so that its replay sees the same.

const { Date: date, setTimeout: timeout, fetch: fetched, Promise: promise } = globalThis;
const { random } = Math;
const { race } = promise;
const listeners = process.listenerCount("unhandledRejection");

it("shows a workflow the same time and the same random numbers in every replay", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const seen: unknown[][] = [];
  const opened = gate();
  const wait = step("wait", () => opened.promise);
  const flow = workflow("sees", async () => {
    const values: unknown[] = [];
    seen.push(values);
    const look = () =>
      values.push(
        Date.now(),
        new Date().toISOString(),
        performance.now(),
        Math.random(),
        crypto.randomUUID(),
        crypto.getRandomValues(new Uint8Array(4)).join(),
      );
    look();
    await sleep("1h");
    look();
    await wait();
    look();
    return values;
  });
  const first = await process();
  const run = await client.start<unknown[]>(flow, []);
  await clock.advance(3_600_000);
  await settle();
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  opened.open();
  const result = await until(run.returnValue);
  await coldReplay({ runId: run.runId, workflow: "sees" }, journal(run.runId), clock);
  expect(seen).toHaveLength(3);
  // The first worker died in between; what it saw later is nobody's.
  expect(seen[0]?.slice(0, 12)).toEqual(result.slice(0, 12));
  expect(seen[1]).toEqual(result);
  expect(seen[2]).toEqual(result);
  expect(new Set(result).size).toBeGreaterThan(12);
});

it("lets a workflow's clock stand at its last event", async () => {
  const { process, client, clock, until, journal } = cluster();
  const work = step(
    "work",
    async () => void (await new Promise<void>((go) => clock.setTimer(clock.now() + 5_000, go))),
  );
  const flow = workflow("clock", async () => {
    const times = [Date.now()];
    await work();
    times.push(Date.now());
    await sleep("1m");
    times.push(Date.now());
    return times;
  });
  await process();
  const run = await client.start<number[]>(flow, []);
  const times = await until(run.returnValue);
  const at = (type: string) => journal(run.runId).find((event) => event.type === type)?.at;
  expect(times).toEqual([at("run_started"), at("step_completed"), at("wait_completed")]);
  expect((times[2] ?? 0) - (times[1] ?? 0)).toBe(60_000);
});

it("leaves steps, and everything outside of runs, the real ones", async () => {
  const { process, client, until } = cluster();
  const look = step("look", async () => {
    await new Promise((resolve) => setTimeout(resolve, 1));
    return [Math.random(), crypto.randomUUID(), Date.now()];
  });
  const flow = workflow("steps are free", async () => [await look(), await look()]);
  await process();
  const run = await client.start<unknown[][]>(flow, []);
  const [a, b] = await until(run.returnValue);
  expect(a?.slice(0, 2)).not.toEqual(b?.slice(0, 2));
  expect(Math.abs((a?.[2] as number) - Date.now())).toBeLessThan(60_000);
});

it("refuses timers and fetch in a workflow, and names the durable way", async () => {
  const { process, client, until } = cluster();
  const attempt = async (use: () => unknown): Promise<string> => {
    try {
      await use();
      return "allowed";
    } catch (error) {
      return NonDeterminismError.is(error) ? error.message : `another error: ${error}`;
    }
  };
  const flow = workflow("impatient", async () => [
    await attempt(() => setTimeout(() => {}, 1)),
    await attempt(() => setInterval(() => {}, 1)),
    await attempt(() => setImmediate(() => {})),
    await attempt(() => fetch("http://127.0.0.1:1")),
  ]);
  await process();
  const run = await client.start<string[]>(flow, []);
  const messages = await until(run.returnValue);
  const inside = `was called in workflow impatient, run ${run.runId}`;
  for (const message of messages) expect(message).toContain(inside);
  expect(messages[0]).toMatch(/^setTimeout\(\) .* Use await sleep\("5m"\)/);
  expect(messages[1]).toMatch(/^setInterval\(\) .* sleep/);
  expect(messages[3]).toMatch(/^fetch\(\) .* Use the durable one, .* or move the call to a step/);
});

it("refuses to act on runs from inside a workflow", async () => {
  const { process, client, until, world } = cluster();
  const other = workflow("other", async () => {});
  const known = await client.start(other, []);
  const flow = workflow("acts on runs", async () => {
    const acts = {
      start: () => client.start(other, []),
      cancel: () => known.cancel(),
      retry: () => known.retry(),
      result: () => known.returnValue,
      status: () => known.status,
      resume: () => client.resumeHook("t", 1),
      look: () => client.getHookByToken("t"),
    };
    const refused: string[] = [];
    for (const [name, act] of Object.entries(acts)) {
      await act().catch((error: unknown) => NonDeterminismError.is(error) && refused.push(name));
    }
    return refused;
  });
  await process({ workflows: ["acts on runs"] });
  const run = await client.start<string[]>(flow, []);
  expect(await until(run.returnValue)).toEqual([
    "start",
    "cancel",
    "retry",
    "result",
    "status",
    "resume",
    "look",
  ]);
  expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(2);
});

it("names a workflow that waits for something that is not durable, with the place of its last call", async () => {
  const { process, client, until, clock, settle, row } = cluster();
  const event = gate<string>();
  const work = step("work", async () => "worked");
  const flow = workflow("waits for an event", async () => {
    const first = await work();
    return `${first}, ${await event.promise}`;
  });
  const { logs, worker } = await process();
  const run = await client.start(flow, []);
  await settle();
  expect(logs).toEqual([]);
  await clock.advance(1_000);
  const warnings = () => logs.filter(({ level }) => level === "warn");
  expect(warnings()).toEqual([
    {
      level: "warn",
      message: expect.stringMatching(/waits for something that is not durable/),
      fields: {
        runId: run.runId,
        workflow: "waits for an event",
        lastCall: expect.stringMatching(/determinism\.test\.ts:\d+:\d+/),
      },
    },
  ]);
  await clock.advance(10 * LEASE);
  expect(row(run.runId).owner).toBe(worker.id);
  event.open("it came");
  expect(await until(run.returnValue)).toBe("worked, it came");
  expect(warnings()).toHaveLength(1);
});

it("keeps the places of a workflow's first thousand calls, and again when one was missed", async () => {
  const { process, client, clock, settle } = cluster();
  const event = gate();
  const work = step("work", async () => {});
  const flow = workflow("calls often", async (calls: number) => {
    for (let call = 0; call < calls; call++) await work();
    await event.promise;
  });
  const { logs } = await process();
  for (const calls of [1_001, 1]) {
    await client.start(flow, [calls]);
    await settle();
    await clock.advance(1_000);
  }
  expect(logs.map(({ fields }) => fields.lastCall)).toEqual([
    expect.stringMatching(/^step_created "work" \(step_[\w-]+\)$/),
    expect.stringMatching(/determinism\.test\.ts:\d+:\d+/),
  ]);
});

it("keeps its own work out of the workflow's context when something not durable goes on", async () => {
  const { process, client, until, settle } = cluster();
  const event = gate();
  const work = step("work", async () => {});
  const flow = workflow("goes on outside", async () => {
    await event.promise;
    await work();
  });
  const { fault } = await process();
  const run = await client.start(flow, []);
  await settle();
  const seen: unknown[] = [];
  // A store may use timers; the guard refuses those of a workflow.
  fault(() => {
    try {
      clearTimeout(setTimeout(() => {}, 1));
    } catch (error) {
      seen.push(error);
    }
  });
  event.open();
  await until(run.returnValue);
  expect(seen).toEqual([]);
});

it("patches nothing at import, and puts everything back when the last worker closes", async () => {
  expect([Date, setTimeout, fetch, Math.random, Promise.race]).toEqual([
    date,
    timeout,
    fetched,
    random,
    race,
  ]);
  const { process, until } = cluster();
  const [one, two] = [await process(), await process()];
  expect(setTimeout).not.toBe(timeout);
  await until(one.worker.close());
  expect(setTimeout).not.toBe(timeout);
  await until(two.worker.close());
  expect([Date, setTimeout, fetch, Math.random, Promise.race]).toEqual([
    date,
    timeout,
    fetched,
    random,
    race,
  ]);
});

it("puts everything back when a worker cannot start", async () => {
  const { world, clock } = cluster();
  const subscribe = (): never => {
    throw new Error("no subscriptions today");
  };
  const worker = createWorker({ world: { ...world, subscribe }, clock });
  await expect(worker.start()).rejects.toThrow("no subscriptions today");
  expect([Date, setTimeout, fetch, Math.random, Promise.race]).toEqual([
    date,
    timeout,
    fetched,
    random,
    race,
  ]);
  expect(process.listenerCount("unhandledRejection")).toBe(listeners);
  await worker.close();
});
