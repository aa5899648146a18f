import { getStepMetadata, getWorkflowMetadata, RetryableError, step, workflow } from "@perdure/core";
import { configure } from "@perdure/core/runtime";
import { expect, it, onTestFinished } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// What steps and workflows are told of themselves.

it("tells when the step began, and when this attempt did, also on another machine", async () => {
  const { process, client, clock, until, settle } = cluster();
  const started: [Date, Date][] = [];
  const fails = step("fails twice", async () => {
    const { stepStartedAt, attemptStartedAt, attempt } = getStepMetadata();
    started.push([stepStartedAt, attemptStartedAt]);
    if (attempt < 3) throw new RetryableError("again", { retryAfter: "1h" });
  });
  const waits = step("takes the only slot", async () => {
    await new Promise<void>((resolve) => clock.setTimer(clock.now() + 1_000, resolve));
  });
  const flow = workflow("twice", async () => void (await Promise.all([waits(), fails()])));
  const first = await process({ concurrency: 1 });
  const run = await client.start(flow, []);
  const created = clock.now();
  await clock.advance(2_000);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  await until(run.returnValue);
  const [step1, step2, step3] = started;
  expect(step1?.[0].getTime()).toBe(created + 1_000);
  expect(step1?.[1]).toEqual(step1?.[0]);
  expect(step2?.[0]).toEqual(step1?.[0]);
  expect(step2?.[1].getTime()).toBeGreaterThanOrEqual(created + 3_600_000);
  expect(step3?.[0]).toEqual(step1?.[0]);
  expect(step3?.[1].getTime()).toBeGreaterThanOrEqual(created + 7_200_000);
});

it("gives what can be stored, and where the program is reached", async () => {
  const { process, client, world, until } = cluster();
  configure({ world, worker: false, url: "https://shop.example/" });
  onTestFinished(() => configure({ world, worker: false }));
  const told = step("is told", async () => {
    const { signal } = getStepMetadata();
    return [getStepMetadata(), getWorkflowMetadata(), signal.aborted] as const;
  });
  const flow = workflow("tells", async () => [...(await told()), getWorkflowMetadata()] as const);
  await process();
  const run = await client.start<readonly [object, object, boolean, object]>(flow, []);
  const [ofStep, inStep, aborted, inWorkflow] = await until(run.returnValue);
  expect(Object.keys(ofStep)).toEqual(["stepName", "stepId", "attempt", "stepStartedAt", "attemptStartedAt"]);
  expect(aborted).toBe(false);
  expect(inStep).toEqual(inWorkflow);
  expect(inWorkflow).toMatchObject({ url: "https://shop.example", features: { encryption: false } });
  expect(() => configure({ world, url: "shop.example" })).toThrow(TypeError);
});
