import { step, workflow } from "@perdure/core";
import { registerLifecycleHooks, type WorkflowLifecycleHooks } from "@perdure/core/api";
import { NonDeterminismError } from "@perdure/core/errors";
import { expect, it, onTestFinished } from "vitest";
import { cluster } from "./cluster.ts";

function register(hooks: WorkflowLifecycleHooks): () => void {
  const unregister = registerLifecycleHooks(hooks);
  onTestFinished(() => unregister());
  return unregister;
}

const works = workflow("lifecycle/works", async (value: number) => value);
const fails = workflow("lifecycle/fails", async () => {
  throw new RangeError("too far");
});

it("tells of a run's end once it is durable, with what returnValue gives", async () => {
  const { client, process, until, settle } = cluster();
  const heard: unknown[] = [];
  const unregister = register({
    onRunCompleted: async ({ run, workflowName }) =>
      heard.push([workflowName, await run.status, await run.returnValue]),
    onRunFailed: async ({ run, workflowName, error }) =>
      heard.push([workflowName, await run.status, error.runId === run.runId, (error.cause as Error).message]),
  });
  await process();
  const good = await client.start(works, [7]);
  const bad = await client.start(fails, []);
  await until(good.returnValue);
  await expect(until(bad.returnValue)).rejects.toThrow("too far");
  await settle();
  expect(heard.sort()).toEqual([
    ["lifecycle/fails", "failed", true, "too far"],
    ["lifecycle/works", "completed", 7],
  ]);

  unregister();
  await until((await client.start(works, [8])).returnValue);
  await settle();
  expect(heard).toHaveLength(2);
});

it("calls all that are registered, in order, whatever one of them throws", async () => {
  const { client, process, until, settle } = cluster();
  const heard: number[] = [];
  for (const n of [1, 2, 3]) {
    register({
      onRunCompleted() {
        heard.push(n);
        if (n === 2) throw new Error("no");
      },
    });
  }
  await process();
  expect(await until((await client.start(works, [1])).returnValue)).toBe(1);
  await settle();
  expect(heard).toEqual([1, 2, 3]);
});

it("is refused in a workflow, and may be called in a step", async () => {
  const { client, process, until } = cluster();
  const registers = step("lifecycle/registers", async () => register({})());
  const flow = workflow("lifecycle/flow", async (inStep: boolean) =>
    inStep ? await registers() : registerLifecycleHooks({}),
  );
  await process();
  await until((await client.start(flow, [true])).returnValue);
  const error = await until((await client.start(flow, [false])).returnValue).catch(
    (thrown: Error) => thrown.cause,
  );
  expect(NonDeterminismError.is(error)).toBe(true);
});
