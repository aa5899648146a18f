import { createHook, sleep, step, workflow } from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// run.delete(): one run that nobody needs any more.

it("deletes a run that has ended, with its start key", async () => {
  const { process, client, until, settle, state } = cluster();
  const quick = workflow("quick", async () => 1);
  await process();
  const run = await client.start(quick, [], { idempotencyKey: "k" });
  await until(run.returnValue);
  await settle();
  await until(run.delete());
  expect(state.runs.size).toBe(0);
  expect(await until(run.exists)).toBe(false);
  await expect(until(run.delete())).rejects.toThrow(WorkflowRunNotFoundError);
  expect((await until(client.start(quick, [], { idempotencyKey: "k" }))).runId).not.toBe(run.runId);
});

it("refuses a run that has not ended, and says how to end it", async () => {
  const { process, client, until, settle } = cluster();
  const waiter = workflow("waiter", async () => await createHook());
  await process();
  const run = await client.start(waiter, []);
  await settle();
  await expect(until(run.delete())).rejects.toThrow(
    `Workflow run "${run.runId}" has not ended (running), so it cannot be deleted. End it with run.cancel()`,
  );
  await until(run.cancel());
  await until(run.returnValue.catch(() => {}));
  await settle();
  await until(run.delete());
  expect(await until(run.exists)).toBe(false);
});

it("refuses the child of a run that has not ended, and names that one", async () => {
  const { process, client, until, settle } = cluster();
  const child = workflow("child", async () => 1);
  const parent = workflow("parent", async () => {
    const run = await start(child, []);
    await createHook({ token: "on" });
    return [run.runId, await run.returnValue];
  });
  await process();
  const run = await client.start<[string, number]>(parent, []);
  await settle();
  const [childId] = [...(await client.world.listRuns({ limit: 1, workflow: "child" })).runs].map(
    (r) => r.runId,
  );
  await expect(until(client.getRun(childId as string).delete())).rejects.toThrow(
    `"${childId}" was started by run "${run.runId}", which has not ended (running)`,
  );
  await until(client.resumeHook("on", null));
  expect(await until(run.returnValue)).toEqual([childId, 1]);
  await settle();
  await until(client.getRun(childId as string).delete());
  await until(run.delete());
});

it("refuses a run that has work left, and takes another deletion at the same time for its own", async () => {
  const { process, client, until, settle, state } = cluster();
  const quick = workflow("quick", async () => 1);
  await process();
  const run = await client.start(quick, []);
  await until(run.returnValue);
  await settle();
  const stored = state.runs.get(run.runId);
  if (stored === undefined) throw new Error("It is stored.");
  const { row } = stored;
  stored.row = { ...row, dueAt: Number.MAX_SAFE_INTEGER };
  const error = await until(run.delete().catch((error: unknown) => error));
  expect(WorkflowRuntimeError.is(error) && error.retryable).toBe(true);
  expect(String(error)).toContain("has ended and is not finished with");
  stored.row = row;
  await until(Promise.all([run.delete(), run.delete()]));
  expect(state.runs.size).toBe(0);
});

it("works in a step, and is refused in a workflow", async () => {
  const { process, client, until, settle } = cluster();
  const quick = workflow("quick", async () => 1);
  const remove = step("remove", async (id: string) => await client.getRun(id).delete());
  const cleaner = workflow("cleaner", async (id: string) => {
    await sleep(1);
    const refused = await getRun(id)
      .delete()
      .catch((error: Error) => error.message);
    await remove(id);
    return [refused, await getRun(id).exists];
  });
  await process();
  const old = await client.start(quick, []);
  await until(old.returnValue);
  await settle();
  const run = await client.start<[string, boolean]>(cleaner, [old.runId]);
  const [refused, exists] = await until(run.returnValue);
  expect(refused).toContain("run.delete() was called in");
  expect(exists).toBe(false);
});
