import { continueAsNew, createHook, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { WorkflowRunCancelledError, WorldError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Payloads that were answered as delivered and that a hook did not read before it was disposed of; what a cancel interrupts before a
// run continues as new.

/** Does something once, before the worker's next commit; tells whether it has. */
function beforeNextCommit(
  worker: { fault(before: (operation: string) => Promise<void>): void },
  act: () => Promise<unknown>,
): () => boolean {
  let done = false;
  worker.fault(async (operation) => {
    if (operation !== "commit" || done) return;
    done = true;
    await act();
  });
  return () => done;
}

it("gives what a hook has not read to the run's next hook with the token, the same in a replay", async () => {
  const { process, client, clock, settle, until } = cluster();
  const got: string[] = [];
  const flow = workflow("one hook after the other", async () => {
    const all: string[] = [];
    for (let n = 0; n < 4; n++) {
      using hook = createHook<string>({ token: "again and again" });
      all.push(await hook);
      await sleep("1m");
    }
    got.push(...all);
    await sleep("1h");
    return all;
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  for (const payload of ["a", "b", "c", "d"]) await client.resumeHook("again and again", payload);
  await clock.advance(240_000);
  expect(got).toEqual(["a", "b", "c", "d"]);
  first.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  expect(await until(run.returnValue)).toEqual(["a", "b", "c", "d"]);
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("leaves what was not read to the code while no other hook has the token", async () => {
  const { process, client, clock, settle, until } = cluster();
  const flow = workflow("reads what is left", async () => {
    const hook = createHook<string>({ token: "closed" });
    await sleep("1m");
    hook.dispose();
    const all: string[] = [];
    for await (const payload of hook) all.push(payload);
    return all;
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  for (const payload of ["a", "b"]) await client.resumeHook("closed", payload);
  await clock.advance(60_000);
  expect(await until(run.returnValue)).toEqual(["a", "b"]);
});

it.each(["read by then", "in the mailbox"])("keeps what is left over generations, %s", async (where) => {
  const { process, client, clock, settle, until, row, types } = cluster();
  const flow = workflow("disposes and goes on", async (n: number): Promise<unknown> => {
    if (n === 0) {
      const hook = createHook<string>({ token: "left" });
      await sleep("1m");
      hook.dispose();
    }
    await sleep("1m");
    if (n < 3) return await continueAsNew([n + 1]);
    return null;
  });
  const next = workflow("takes the token", async () => await createHook<string>({ token: "left" }));
  const worker = await process();
  const run = await client.start(flow, [0]);
  await settle();
  if (where === "read by then") await client.resumeHook("left", "unread");
  let sent = where === "read by then";
  worker.fault(async (operation) => {
    if (operation !== "commit" || sent) return;
    sent = true;
    await client.resumeHook("left", "unread");
  });
  await clock.advance(60_000);
  const taker = await client.start(next, []);
  await until(run.returnValue);
  expect(row(run.runId).generation).toBe(3);
  expect(types(run.runId)).toContain("payload_kept");
  expect(await until(taker.returnValue)).toBe("unread");
});

it("gives what comes for a hook that another has followed to the next generation's", async () => {
  const { process, client, clock, settle, until } = cluster();
  const flow = workflow("passes its token on", async (n: number): Promise<unknown> => {
    const hook = createHook<string>({ token: "passed on" });
    await sleep("1m");
    if (n === 1) return await hook;
    hook.dispose();
    await createHook<string>({ token: "passed on" }).getConflict();
    return await continueAsNew([1]);
  });
  const worker = await process();
  const run = await client.start(flow, [0]);
  await settle();
  const sent = beforeNextCommit(worker, () => client.resumeHook("passed on", "for the first"));
  await clock.advance(60_000);
  expect(sent()).toBe(true);
  expect(await until(run.returnValue)).toBe("for the first");
});

it("gives what is left to a hook of a later generation", async () => {
  const { process, client, clock, settle, until } = cluster();
  const flow = workflow("asks again later", async (n: number): Promise<unknown> => {
    const hook = createHook<string>({ token: "later" });
    await sleep("1m");
    if (n === 1) return await hook;
    hook.dispose();
    return await continueAsNew([1]);
  });
  const worker = await process();
  const run = await client.start(flow, [0]);
  await settle();
  const sent = beforeNextCommit(worker, () => client.resumeHook("later", "in the last moment"));
  await clock.advance(60_000);
  expect(sent()).toBe(true);
  expect(await until(run.returnValue)).toBe("in the last moment");
});

it("sends on what a run has not read that its worker terminates", async () => {
  const { process, client, settle, until, types } = cluster();
  const works = step("works", () => gate().promise);
  const holder = workflow("does not read", async () => {
    createHook<string>({ token: "unread" });
    await works();
  });
  const next = workflow("reads it", async () => await createHook<string>({ token: "unread" }));
  const worker = await process();
  const run = await client.start(holder, []);
  await settle();
  await client.resumeHook("unread", "payload");
  await settle();
  expect(types(run.runId)).toContain("hook_received");
  const tokenTaken = gate();
  worker.fault((operation) => (operation === "deliver" ? tokenTaken.promise : undefined));
  await until(run.cancel({ mode: "terminate" }));
  const taker = await client.start<string>(next, []);
  await settle();
  tokenTaken.open();
  expect(await until(taker.returnValue)).toBe("payload");
});

it.each(["nobody", "a worker that replays it"])(
  "sends on what a run has not read that %s terminates",
  async (who) => {
    const { process, client, clock, settle, until, types } = cluster();
    const flow = workflow("reads one an hour", async () => {
      for await (const _ of createHook<string>({ token: "hourly" })) await sleep("1h");
    });
    const next = workflow("reads all", async () => {
      const all: (string | null)[] = [];
      const hook = createHook<string>({ token: "hourly" });
      while (all.at(-1) !== null) all.push(await Promise.race([hook, sleep("1m").then(() => null)]));
      return all;
    });
    const first = await process();
    const run = await client.start(flow, []);
    await settle();
    for (const payload of ["a", "b", "c"]) {
      await client.resumeHook("hourly", payload);
      await settle();
    }
    // The code has read "b" when the first hour is over, which the journal does not say.
    if (who !== "nobody") await clock.advance(3_600_000);
    first.kill();
    await clock.advance(LEASE + 1);
    const tokenTaken = gate();
    const work = async () => {
      const { fault } = await process();
      fault((operation) => (operation === "deliver" ? tokenTaken.promise : undefined));
    };
    if (who !== "nobody") await work();
    await until(run.cancel({ mode: "terminate" }));
    expect(types(run.runId)).toContain("payloads_left");
    const taker = await client.start(next, [], { hook: { token: "hourly" } });
    tokenTaken.open();
    if (who === "nobody") await work();
    expect(await until(taker.returnValue)).toEqual(who === "nobody" ? ["b", "c", null] : ["c", null]);
  },
);

it("ends a cancelled run that continues as new, and starts the child that the cancel interrupted", async () => {
  const { process, client, settle, state, until, when } = cluster();
  const child = workflow("asked for before", async () => await createHook());
  const parent = workflow("goes on all the same", async (n: number): Promise<unknown> => {
    try {
      await start(child, [], { onParentEnd: "leave" });
    } catch {}
    return await continueAsNew([n + 1]);
  });
  const worker = await process();
  let down = true;
  worker.fault((operation) => {
    if (down && operation === "createRuns") throw new WorldError("no answer");
  });
  const run = await client.start(parent, [0]);
  await settle();
  await run.cancel({ reason: "enough" });
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  expect(WorkflowRunCancelledError.is(error)).toBe(true);
  down = false;
  const statuses = () => [...state.runs.values()].map(({ row }) => row.status);
  await when(() => statuses().length === 2);
  await settle();
  expect(statuses()).toEqual(["cancelled", "running"]);
});
