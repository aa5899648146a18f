import { createHook, sleep, step, workflow } from "@perdure/core";
import { coldReplay, decode } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Work of a workflow that is deterministic and merely asynchronous: it takes some turns of the event loop, live and replayed.

const bytes = new TextEncoder().encode("payload");
const add = step("add", async (n: number) => n + 1);

async function hmac(): Promise<number> {
  const name = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", new Uint8Array(32), name, false, ["sign"]);
  return new Uint8Array(await crypto.subtle.sign("HMAC", key, bytes))[0] ?? 0;
}

async function derive(): Promise<number> {
  const key = await crypto.subtle.importKey("raw", bytes, "PBKDF2", false, ["deriveBits"]);
  const options = { name: "PBKDF2", hash: "SHA-256", salt: bytes, iterations: 2_000 };
  return new Uint8Array(await crypto.subtle.deriveBits(options, key, 128))[0] ?? 0;
}

async function compress(): Promise<number> {
  const stream = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
  return (await new Response(stream).arrayBuffer()).byteLength;
}

it.each<[string, () => Promise<number>]>([
  ["digest", async () => (await crypto.subtle.digest("SHA-512", bytes)).byteLength],
  ["HMAC", hmac],
  ["PBKDF2", derive],
  ["CompressionStream", compress],
  ["Response.json()", async () => ((await new Response('{"n":3}').json()) as { n: number }).n],
  ["import()", async () => (await import("node:querystring")).escape("ä").length],
])("is waited for in a replay: %s", async (name, work) => {
  const { process, client, clock, until, when, row, types, journal } = cluster();
  const flow = workflow(`pure ${name}`, async () => {
    const first = await add(await work());
    await sleep("1h");
    return [first, await add(await work()), await work()];
  });
  const before = await process();
  const run = await client.start<number[]>(flow, []);
  await when(() => types(run.runId).includes("wait_created"));
  before.kill();
  const after = await process();
  await clock.advance(3_600_000 + LEASE);
  const result = await until(run.returnValue);
  expect(row(run.runId).status).toBe("completed");
  expect([...before.logs, ...after.logs]).toEqual([]);
  const replayed = await coldReplay(
    { runId: run.runId, workflow: `pure ${name}` },
    journal(run.runId),
    clock,
  );
  expect(decode(replayed.output)).toEqual(result);
});

it("is not interrupted by what arrives meanwhile, so that a replay sees the same order", async () => {
  const { process, client, until, settle, types, journal, clock } = cluster();
  const work = gate<number>();
  const flow = workflow("works beside a hook", async () => {
    const hook = createHook<number>({ token: "busy" });
    const before = Date.now();
    const first = await add(await work.promise);
    return [Date.now() - before, first, await hook];
  });
  const { logs } = await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("busy", 5);
  await clock.advance(900);
  expect(types(run.runId).at(-1)).toBe("hook_created");
  work.open(1);
  expect(await until(run.returnValue)).toEqual([900, 2, 5]);
  expect(types(run.runId).indexOf("step_created")).toBeLessThan(types(run.runId).indexOf("hook_received"));
  expect(logs).toEqual([]);
  await coldReplay({ runId: run.runId, workflow: "works beside a hook" }, journal(run.runId), clock);
});

it("is interrupted once it has had its time, by a cancellation too", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  const flow = workflow("waits for nothing", async () => {
    createHook<number>({ token: "idle" });
    await new Promise<never>(() => {});
  });
  const { logs, worker } = await process();
  const run = await client.start(flow, []);
  await settle();
  await client.resumeHook("idle", 5);
  await clock.advance(1_000);
  expect(types(run.runId).at(-1)).toBe("hook_received");
  await run.cancel();
  await settle();
  expect(types(run.runId).at(-1)).toBe("run_cancel_requested");
  expect(logs.map(({ level }) => level)).toEqual(["warn"]);
  await until(worker.close());
});

it("is told from code that was changed: the run diverges after it was waited for", async () => {
  const { process, client, clock, settle, row } = cluster();
  workflow("gets stuck", async () => {
    await add(1);
    await sleep("1h");
  });
  const before = await process();
  const run = await client.start({ workflowId: "gets stuck" }, []);
  await settle();
  before.kill();
  workflow("gets stuck", async () => {
    await add(1);
    await new Promise(() => {});
  });
  await process();
  await clock.advance(3_600_000);
  expect((decode(row(run.runId).error) as Error).message).toMatch(
    /the journal has: {4}wait_created .*\n.*asked for: nothing yet, after \d+ ms; its last request came at .*pure-work/,
  );
});
