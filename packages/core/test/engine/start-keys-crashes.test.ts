import { createHook, FatalError, getStepMetadata, once, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { isTerminal } from "@perdure/core/world";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// A worker that dies before, or after, any of its store calls leaves nothing undone and has nothing done twice.

/** One course in which the first worker dies at its n-th store call, before it or before its answer; false if it has fewer. */
async function course(n: number): Promise<boolean> {
  const { process, client, clock, until, settle, state, row } = cluster();
  const effects: string[] = [];
  const charge = step("charge", async () => {
    effects.push(getStepMetadata().stepId);
    if (effects.length === 1) throw new FatalError("declined");
    return "charged";
  });
  const waits = workflow("waits", async (n: number) => {
    await createHook();
    return n;
  });
  const flow = workflow("flow", async () => {
    const failure = await once("k", charge).catch((error: unknown) => (error as Error).message);
    const replaced = await start(waits, [2], { idempotencyKey: "k", onConflict: "replace" });
    return [failure, replaced.runId, await once("k", charge)] as const;
  });
  const first = await process();
  const old = await client.start(waits, [1], { idempotencyKey: "k" });
  await settle();
  let calls = 0;
  first.fault(() => {
    if (++calls === n) first.kill();
  });
  const run = await client.start<readonly [string, string, string]>(flow, []);
  await settle();
  const died = calls >= n;
  if (died) await clock.advance(LEASE + 1);
  const { logs } = died ? await process() : first;
  const [failure, replacing, result] = await until(run.returnValue);
  await settle();
  expect(["declined", "charged"]).toContain(failure);
  expect(result).toBe("charged");
  expect(new Set(effects).size).toBe(1);
  expect(row(old.runId).status).toBe("cancelled");
  expect(row(replacing)).toMatchObject({ status: "running", idempotencyKey: "k" });
  const rows = [...state.runs.values()].map(({ row }) => row);
  expect(rows.filter(({ workflow }) => workflow === "waits")).toHaveLength(2);
  expect(rows.filter(({ workflow, status }) => workflow === "step:charge" && isTerminal(status)).length).toBe(
    failure === "declined" ? 2 : 1,
  );
  expect(logs.filter(({ level }) => level === "error")).toEqual([]);
  return died;
}

it("once and replace in a workflow whose worker dies at one of its store calls", async () => {
  let n = 1;
  // Every third one: the calls before and after an answer take turns.
  while (await course(n)) n += 3;
  expect(n).toBeGreaterThan(10);
});
