import { createHook, sleep, workflow } from "@perdure/core";
import { HookConflictError } from "@perdure/core/errors";
import { Client } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// A run that has its hook from the first moment, and payloads that start their run.

/** Takes payloads until none has come for a second. */
function collector() {
  return workflow("collects", async (name: string) => {
    const hook = createHook<string>({ token: "inbox" });
    const got: string[] = [];
    for (;;) {
      const payload = await Promise.race([hook, sleep("1s").then(() => null)]);
      if (payload === null) return [name, ...got];
      got.push(payload);
    }
  });
}

it("starts a run with its hook: what is sent before it begins arrives", async () => {
  const { process, client, until, row } = cluster();
  const flow = collector();
  const run = await client.start<string[]>(flow, ["a"], { hook: { token: "inbox" } });
  const sent = await client.resumeHook("inbox", "early");
  expect(sent.runId).toBe(run.runId);
  await expect(client.start(flow, ["b"], { hook: { token: "inbox" } })).rejects.toThrow(HookConflictError);
  await process();
  expect(await until(run.returnValue)).toEqual(["a", "early"]);
  expect(row(run.runId).mailDone).toBe(1);
  expect((await client.start(flow, ["b"], { hook: { token: "inbox" } })).runId).not.toBe(run.runId);
});

it("makes one run of fifty callers, with the payloads of all, over crashes and replays", async () => {
  const { process, client, world, clock, settle, until, state } = cluster();
  const flow = collector();
  const worker = await process();
  const clients = [
    client,
    ...Array.from({ length: 3 }, () => new Client({ world, clock, logger: "silent" })),
  ];
  const sends = Array.from({ length: 50 }, (_, n) =>
    (clients[n % 4] as Client).resumeHook("inbox", `p${n}`, {
      orStart: [flow, ["x"]],
      idempotencyKey: `k${n}`,
    }),
  );
  const runIds = new Set((await until(Promise.all(sends))).map(({ runId }) => runId));
  expect(runIds.size).toBe(1);
  await settle();
  worker.kill();
  await clock.advance(LEASE + 1);
  await process();
  const [runId] = runIds;
  const got = await until(client.getRun<string[]>(runId as string).returnValue);
  expect(got.length).toBe(51);
  expect(new Set(got.slice(1))).toEqual(new Set(sends.map((_, n) => `p${n}`)));
  expect(state.runs.size).toBe(1);
  // Sent again, it is where it was.
  expect(
    (await client.resumeHook("inbox", "p7", { orStart: [flow, ["x"]], idempotencyKey: "k7" })).runId,
  ).toBe(runId);
  expect(state.runs.size).toBe(1);
});

it("sends on what came while the owner was ending: it starts the next run", async () => {
  const { process, client, clock, settle, until, state } = cluster();
  const ended: string[][] = [];
  const flow = workflow("takes one and ends", async () => {
    const hook = createHook<string>({ token: "inbox" });
    ended.push([await hook]);
    await sleep("1s");
  });
  const worker = await process();
  const first = await client.resumeHook("inbox", "one", { orStart: [flow] });
  await settle();
  const committing = gate();
  let sent = false;
  worker.fault(async (operation) => {
    if (operation !== "commit" || sent) return;
    sent = true;
    const second = await client.resumeHook("inbox", "two", { orStart: [flow] });
    expect(second.runId).toBe(first.runId);
    committing.open();
  });
  await client.resumeHook("inbox", "three", { orStart: [flow] });
  await clock.advance(1_000);
  await committing.promise;
  await until(client.getRun(first.runId).returnValue);
  await clock.advance(5_000);
  await settle();
  expect(ended.flat().sort()).toEqual(["one", "three", "two"]);
  expect([...state.runs.values()].map(({ row }) => row.status)).toEqual([
    "completed",
    "completed",
    "completed",
  ]);
});

it("sends on what a run that nobody executed was sent, when it is terminated", async () => {
  const { process, client, until, settle, state } = cluster();
  const flow = collector();
  const first = await client.resumeHook("inbox", "kept", { orStart: [flow, ["x"]] });
  await until(client.getRun(first.runId).cancel({ mode: "terminate" }));
  await process();
  await settle();
  const [second] = [...state.runs.keys()].filter((id) => id !== first.runId);
  expect(await until(client.getRun<string[]>(second as string).returnValue)).toEqual(["x", "kept"]);
});
