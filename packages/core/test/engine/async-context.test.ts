import { AsyncLocalStorage } from "node:async_hooks";
import { createHook, sleep, step, workflow } from "@perdure/core";
import { StoredWorld } from "@perdure/core/world";
import { expect, it, vi } from "vitest";
import { systemClock } from "../../src/clock.ts";
import { cluster, gate } from "./cluster.ts";

// A run sees nobody's AsyncLocalStorage, whoever started, woke or adopted it: else it would see another in every process.

const request = new AsyncLocalStorage<string>();
const seen: (string | undefined)[] = [];
const look = (): void => void seen.push(request.getStore());
const lookInStep = step("look in a step", async () => look());

function visits(id: string): { readonly workflowId: string } {
  workflow(id, async () => {
    const hook = createHook({ token: id });
    look();
    await lookInStep();
    look();
    await sleep("1m");
    look();
    await hook;
    look();
    await Promise.all([lookInStep(), lookInStep()]);
  });
  return { workflowId: id };
}

it("whoever creates the worker, starts the run, resumes its hook and asks for its result", async () => {
  const { process, client, clock, until, settle } = cluster();
  seen.length = 0;
  const flow = visits("seen by nobody");
  await request.run("operator", () => process());
  const run = await request.run("alice", () => client.start(flow, []));
  const result = request.run("bob", () => run.returnValue);
  await settle();
  await clock.advance(60_000);
  await request.run("carol", () => client.resumeHook("seen by nobody", 1));
  await request.run("dora", () => until(result));
  expect(seen).toEqual(Array(7).fill(undefined));
});

it("whoever lets its worker adopt the run, or registers its workflow, and after a crash", async () => {
  const { process, client, clock, until, settle } = cluster();
  seen.length = 0;
  const flow = visits("adopted by nobody");
  const first = await process();
  client.workers.add(first.worker);
  const run = await request.run("alice", () => client.start(flow, []));
  await request.run("alice", () => settle());
  first.kill();
  client.workers.clear();
  await request.run("operator", () => process({ workflows: ["adopted by nobody", "later"] }));
  const later = await client.start({ workflowId: "later" }, []);
  await settle();
  request.run("bob", () => visits("later"));
  await request.run("bob", () => clock.advance(120_000));
  await request.run("carol", () => client.resumeHook("adopted by nobody", 1));
  await request.run("carol", () => client.resumeHook("later", 1));
  await until(run.returnValue);
  await until(later.returnValue);
  expect(seen.length).toBeGreaterThan(14);
  expect(new Set(seen)).toEqual(new Set([undefined]));
});

it("nor do the listeners of a step's signal and what a step left behind", async () => {
  const { process, client, until, settle } = cluster();
  const left = gate<string | undefined>();
  const begun = gate();
  const cancelled = step("cancelled", async () => {
    begun.open();
    const { getStepMetadata } = await import("@perdure/core");
    const { signal } = getStepMetadata();
    await new Promise((_, reject) => signal.addEventListener("abort", reject));
  });
  const flow = workflow("is cancelled", async () => {
    try {
      await cancelled();
    } finally {
      left.open(request.getStore());
    }
  });
  await process();
  const run = await request.run("alice", () => client.start(flow, []));
  await settle();
  await until(begun.promise);
  await request.run("bob", () => run.cancel());
  expect(await until(left.promise)).toBeUndefined();
});

it("nor does a store: what it makes, such as a connection, would keep the caller's", async () => {
  const stores: (string | undefined)[] = [];
  const note = (): Promise<never> => {
    stores.push(request.getStore());
    return Promise.reject(new Error("no store"));
  };
  const world = new StoredWorld({
    name: "noted",
    title: "Noted",
    capabilities: () => ({}) as never,
    openStore: async () => {
      stores.push(request.getStore());
      const reads = {
        getRuns: note,
        listRuns: note,
        countRuns: note,
        getNames: note,
        listEvents: note,
        listMail: note,
      };
      return { createRuns: note, claim: note, commit: note, deliver: note, deleteRuns: note, reads } as never;
    },
  });
  await request.run("alice", async () => {
    await world.open();
    const calls = [
      world.createRuns([{} as never], 0),
      world.claim({} as never),
      world.commit([{} as never], 0),
      world.deliver([{} as never], 0),
      world.getRuns([]),
      world.listRuns({ limit: 1 }),
      world.countRuns({}),
      world.getNames(["n"], 0),
      world.deleteRuns(["run"]),
    ];
    await Promise.allSettled(calls);
  });
  expect(stores).toEqual(Array(10).fill(undefined));
});

it("nor do the machine's turns and timers, though this package is first imported in a request", async () => {
  const turned = await request.run(
    "alice",
    () => new Promise((resolve) => systemClock.turn(() => resolve(request.getStore()))),
  );
  const timed = await request.run(
    "alice",
    () => new Promise((resolve) => systemClock.setTimer(0, () => resolve(request.getStore()))),
  );
  vi.resetModules();
  const { outside } = await request.run("alice", () => import("../../src/outside.ts"));
  expect([turned, timed, outside(() => request.getStore())]).toEqual([undefined, undefined, undefined]);
});
