import {
  FatalError,
  getStepMetadata,
  getWorkflowMetadata,
  getWritable,
  RetryableError,
  setAttributes,
  step,
} from "@perdure/core";
import { SerializationError, StepTimeoutError } from "@perdure/core/errors";
import { runStep } from "@perdure/core/testing";
import { expect, it } from "vitest";

// runStep: one attempt of a step without its workflow.

it("gives the step its metadata", async () => {
  const tells = step("run-step/tells", async () => {
    const { workflowName, workflowRunId, workflowStartedAt } = getWorkflowMetadata();
    return { ...getStepMetadata(), workflowName, runId: workflowRunId.slice(0, 5), workflowStartedAt };
  });
  const first = await runStep(tells, []);
  expect(first).toEqual({
    stepName: "run-step/tells",
    stepId: expect.stringMatching(/^step_[\w-]{27}$/),
    attempt: 1,
    stepStartedAt: expect.any(Date),
    attemptStartedAt: expect.any(Date),
    workflowName: "runStep",
    runId: "wrun_",
    workflowStartedAt: expect.any(Date),
  });
  expect((await runStep(tells, [])).stepId).not.toBe(first.stepId);
  expect(await runStep(tells, [], { stepId: "step_1", attempt: 3 })).toMatchObject({
    stepId: "step_1",
    attempt: 3,
  });
});

it("passes arguments and result by value", async () => {
  const given = { items: [1] };
  const adds = step("run-step/adds", async (cart: { items: number[] }, when: Date) => {
    cart.items.push(2);
    return { cart, when: when.getTime() };
  });
  expect(await runStep(adds, [given, new Date(7)])).toEqual({ cart: { items: [1, 2] }, when: 7 });
  expect(given).toEqual({ items: [1] });
  await expect(runStep(adds as (value: unknown) => unknown, [() => 1])).rejects.toThrow(SerializationError);
  const leaks = step("run-step/leaks", async () => () => 1);
  await expect(runStep(leaks, [])).rejects.toMatchObject({ name: "SerializationError", fatal: true });
});

it("rejects with what the step throws, and tries nothing again", async () => {
  let calls = 0;
  const fails = step("run-step/fails", async (error: Error) => {
    calls++;
    throw error;
  });
  for (const error of [new RetryableError("later"), new FatalError("never"), new RangeError("plain")]) {
    await expect(runStep(fails, [error])).rejects.toMatchObject({ name: error.name, message: error.message });
  }
  expect(calls).toBe(3);
});

it("aborts the step with the signal that was passed", async () => {
  const controller = new AbortController();
  const waits = step("run-step/waits", async (signal: AbortSignal) => {
    queueMicrotask(() => controller.abort("enough"));
    return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  const error = await runStep(waits, [controller.signal]).catch((reason: unknown) => reason);
  expect(error).toMatchObject({ name: "AbortError", reason: "enough" });
  expect(FatalError.is(error)).toBe(true);
});

it("obeys the timeout, and aborts the signal of the attempt", async () => {
  const hangs = step("run-step/hangs", async () => {
    const { signal } = getStepMetadata();
    return await new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
  });
  await expect(runStep(Object.assign(hangs, { timeout: 5 }), [])).rejects.toThrow(StepTimeoutError);
});

it("takes attributes and what is written to streams", async () => {
  const writes = step("run-step/writes", async () => {
    await setAttributes({ stage: "charged" });
    const writer = getWritable<string>().getWriter();
    await writer.write("half way");
    writer.releaseLock();
    return "written";
  });
  expect(await runStep(writes, [])).toBe("written");
  const reserved = step("run-step/reserved", async () => await setAttributes({ $mine: "no" }));
  await expect(runStep(reserved, [])).rejects.toThrow('begins with "$"');
  const allowed = step("run-step/allowed", async () => {
    await setAttributes({ mine: "yes" }, { allowReservedAttributes: true } as object);
  });
  await expect(runStep(allowed, [])).rejects.toThrow("Choose other names");
});

it("refuses what is no step, and options that it does not know", async () => {
  await expect(runStep(async () => 1, [])).rejects.toThrow("which is no step");
  const plain = step("run-step/plain", async () => 1);
  await expect(runStep(plain, [], { attempts: 2 } as object)).rejects.toThrow('the nearest is "attempt"');
  await expect(runStep(plain, [], { attempt: 0 })).rejects.toThrow("runStep({ attempt })");
});
