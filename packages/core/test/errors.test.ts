import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { brandOf } from "../src/errors/base.ts";
import { ERROR_KINDS } from "../src/errors/codes.ts";
import * as errors from "../src/errors/index.ts";
import {
  FatalError,
  IdempotencyConflictError,
  LeaseLostError,
  LockTimeoutError,
  ReplayDivergenceError,
  RetryableError,
  retryAt,
  StepInterruptedError,
  ThrottleError,
  WorkflowError,
  WorkflowNotRegisteredError,
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorkflowRuntimeError,
  WorldError,
} from "../src/errors/index.ts";

const exported = errors as unknown as Record<string, { prototype: WorkflowError }>;

describe("the registry", () => {
  it.each(Object.entries(ERROR_KINDS))("%s is an exported class that carries its name", (code, { name }) => {
    const cls = exported[name];
    expect(cls).toBeDefined();
    expect(brandOf(cls?.prototype ?? {})).toBe(code);
    expect(cls?.prototype.name).toBe(name);
    expect(cls?.prototype).toBeInstanceOf(name === "WorkflowError" ? Error : WorkflowError);
  });
});

describe("WorkflowError", () => {
  it("keeps the cause, whatever it is", () => {
    const cause = new Error("socket hang up");
    expect(new WorldError("Commit failed", { cause }).cause).toBe(cause);
    expect(Object.hasOwn(new WorldError("Commit failed", { cause: undefined }), "cause")).toBe(true);
    expect(Object.hasOwn(new WorldError("Commit failed"), "cause")).toBe(false);
  });

  it("has the class's code and retryability, which an option overrides", () => {
    expect(new WorldError("x")).toMatchObject({ code: "WORLD_ERROR", retryable: true });
    expect(new WorldError("x", { retryable: false }).retryable).toBe(false);
    expect(new FatalError("x")).toMatchObject({ code: "FATAL", retryable: false, fatal: true });
  });

  it("names its class in the stack's first line", () => {
    expect(new FatalError("declined").stack).toMatch(/^FatalError: declined\n/);
  });

  it("gives user subclasses the code and the name of the class they extend", () => {
    class CardDeclined extends FatalError {}
    expect(new CardDeclined("x")).toMatchObject({ code: "FATAL", name: "FatalError" });
    expect(FatalError.is(new CardDeclined("x"))).toBe(true);
  });
});

describe("is()", () => {
  it("follows the class hierarchy", () => {
    const error = new WorkflowNotRegisteredError("charge");
    expect(WorkflowNotRegisteredError.is(error)).toBe(true);
    expect(WorkflowRuntimeError.is(error)).toBe(true);
    expect(WorkflowError.is(error)).toBe(true);
    expect(FatalError.is(error)).toBe(false);
  });

  it("works as a detached function", () => {
    expect([new Error("a"), new FatalError("b")].filter(FatalError.is)).toHaveLength(1);
  });

  it("knows the errors of another copy of this package", async () => {
    vi.resetModules();
    const copy = await import("../src/errors/index.ts");
    const error = new copy.LeaseLostError("wrun_1", 3);
    expect(copy.LeaseLostError).not.toBe(LeaseLostError);
    expect(LeaseLostError.is(error)).toBe(true);
    expect(WorkflowError.is(error)).toBe(true);
    expect(error).toBeInstanceOf(LeaseLostError);
    expect(error).toBeInstanceOf(WorkflowError);
    expect(error).not.toBeInstanceOf(FatalError);
    class Refused extends FatalError {}
    expect(new Refused("no")).toBeInstanceOf(Refused);
    expect(new copy.FatalError("no")).not.toBeInstanceOf(Refused);
  });

  it("knows errors whose base belongs to another realm", () => {
    const OtherError = runInNewContext("Error") as ErrorConstructor;
    const error = Reflect.construct(OtherError, ["x"]) as object;
    Object.setPrototypeOf(error, FatalError.prototype);
    expect(FatalError.is(error)).toBe(true);
  });

  it("knows FatalError and RetryableError of the Workflow SDK by their names", () => {
    expect(FatalError.is(Object.assign(new Error("x"), { name: "FatalError" }))).toBe(true);
    expect(RetryableError.is(Object.assign(new Error("x"), { name: "RetryableError" }))).toBe(true);
    expect(WorldError.is(Object.assign(new Error("x"), { name: "WorldError" }))).toBe(false);
  });

  it("is false for anything else and never throws", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    for (const value of [undefined, null, "FatalError", 1, {}, { name: "FatalError" }, proxy]) {
      expect(FatalError.is(value)).toBe(false);
      expect(WorkflowError.is(value)).toBe(false);
    }
  });
});

describe("RetryableError", () => {
  it("retries after one second unless told otherwise", () => {
    expect(retryAt(new RetryableError("busy"), 5000)).toBe(6000);
  });

  it("takes milliseconds, a text or a time", () => {
    expect(retryAt(new RetryableError("busy", { retryAfter: 250 }), 5000)).toBe(5250);
    expect(retryAt(new RetryableError("busy", { retryAfter: "5m" }), 5000)).toBe(305_000);
    const at = new Date("2030-01-01T00:00:00Z");
    const error = new RetryableError("busy", { retryAfter: at });
    expect(error.retryAfter).toEqual(at);
    expect(retryAt(error, 5000)).toBe(at.getTime());
  });

  it("shows the time at which it wants to be retried", () => {
    const before = Date.now();
    const error = new RetryableError("busy", { retryAfter: "1h" });
    expect(error.retryAfter.getTime()).toBeGreaterThanOrEqual(before + 3_600_000);
  });

  it("refuses a delay that is none", () => {
    for (const retryAfter of [
      -1,
      Number.NaN,
      Number.POSITIVE_INFINITY,
      "soon",
      "-5m",
      new Date(Number.NaN),
    ]) {
      expect(() => new RetryableError("busy", { retryAfter: retryAfter as number })).toThrow(TypeError);
    }
  });
});

describe("messages", () => {
  it("end in the address of their code's page, once, and not those that programs word", () => {
    const inner = new LockTimeoutError("account", 5);
    expect(inner.message).toMatch(/without\. \(perdure\/docs\/errors\/LOCK_TIMEOUT\.md\)$/);
    const outer = new WorkflowRunFailedError("wrun_1", inner);
    expect(outer.message).toMatch(/go on without\. \(perdure\/docs\/errors\/RUN_FAILED\.md\)$/);
    expect(new FatalError("card declined").message).toBe("card declined");
    expect(new ThrottleError("slower").message).toBe("slower");
  });

  it("name run, workflow, step and attempt of a failure", () => {
    const cause = Object.assign(new FatalError("card declined"), { stepName: "createCharge", attempt: 4 });
    const error = new WorkflowRunFailedError("wrun_1", cause, "charge");
    expect(error.message).toBe(
      'Workflow run "wrun_1" of "charge" failed: card declined (step "createCharge", attempt 4) ' +
        "(perdure/docs/errors/RUN_FAILED.md)",
    );
    expect(error.cause).toBe(cause);
  });

  it("keep a thrown value that is no error", () => {
    const error = new WorkflowRunFailedError("wrun_1", "out of stock");
    expect(error.message).toBe(
      'Workflow run "wrun_1" failed: The workflow threw "out of stock" (perdure/docs/errors/RUN_FAILED.md)',
    );
    expect(error.cause).toBe("out of stock");
  });

  it("say what the journal has and what the code asked for", () => {
    const error = new ReplayDivergenceError({
      runId: "wrun_1",
      workflowName: "charge",
      seq: 7,
      journal: 'step "sendReceipt"',
      requested: "sleep",
    });
    expect(error.message).toContain(
      '- the journal has:    step "sendReceipt"\n  + the code asked for: sleep',
    );
    expect(error).toMatchObject({ runId: "wrun_1", seq: 7, retryable: true });
  });

  it("carry what a handler needs", () => {
    expect(new IdempotencyConflictError("charge", "k", "wrun_1")).toMatchObject({
      runId: "wrun_1",
      idempotencyKey: "k",
    });
    expect(new WorkflowRunCancelledError("wrun_1", "customer left")).toMatchObject({
      reason: "customer left",
    });
    expect(
      new StepInterruptedError({ stepName: "createCharge", stepId: "step_1", attempt: 1 }),
    ).toMatchObject({ stepName: "createCharge", stepId: "step_1", attempt: 1, retryable: true });
  });
});

describe("the error classes of the Workflow SDK", () => {
  it("are all there, each with is()", () => {
    const names = [
      "EntityConflictError",
      "FatalError",
      "HookConflictError",
      "HookNotFoundError",
      "PreconditionFailedError",
      "RetryableError",
      "RunExpiredError",
      "RunNotSupportedError",
      "SerializationError",
      "StepNotRegisteredError",
      "StreamError",
      "ThrottleError",
      "TooEarlyError",
      "WorkflowError",
      "WorkflowNotRegisteredError",
      "WorkflowRunCancelledError",
      "WorkflowRunFailedError",
      "WorkflowRunNotCompletedError",
      "WorkflowRunNotFoundError",
      "WorkflowRuntimeError",
      "WorkflowWorldError",
    ];
    const classes = errors as unknown as Record<string, { is(value: unknown): boolean; prototype: Error }>;
    for (const name of names) {
      expect(classes[name]?.is(Object.create(classes[name].prototype)), name).toBe(true);
      expect(classes[name]?.is(new Error("another")), name).toBe(false);
      expect(classes[name]?.prototype.name).toBe(name);
    }
  });

  it("count every error of a store as a WorkflowWorldError", () => {
    expect(errors.WorkflowWorldError.is(new errors.WorldError("gone"))).toBe(true);
    expect(new errors.ThrottleError("slowly", { retryAfter: 3, status: 429 })).toMatchObject({
      name: "ThrottleError",
      retryAfter: 3,
      status: 429,
    });
    expect(errors.WorkflowWorldError.is(new errors.ThrottleError("slowly"))).toBe(true);
  });

  it("say what kind of failure ended a run", () => {
    const codes = [
      "thrown",
      new FatalError("no"),
      new errors.WorkflowRuntimeError("it waits for itself"),
      new errors.DamagedRunError("wrun_1", "an event is missing"),
    ].map((cause) => new WorkflowRunFailedError("wrun_1", cause).errorCode);
    expect(codes).toEqual(["USER_ERROR", "USER_ERROR", "RUNTIME_ERROR", "CORRUPTED_EVENT_LOG"]);
  });
});
