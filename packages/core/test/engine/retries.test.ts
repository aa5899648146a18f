import { FatalError, getStepMetadata, RetryableError, type StepOptions, step, workflow } from "@perdure/core";
import { StepTimeoutError, WorkflowRunFailedError } from "@perdure/core/errors";
import { configure, shutdown } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, it, onTestFinished } from "vitest";
import { backoffDelay } from "../../src/define/retry-policy.ts";
import { cluster, gate, LEASE } from "./cluster.ts";

// What follows when an attempt of a step does not succeed.

/** A workflow of one step that fails until it has been called often enough; `times` are those of its attempts. */
function flaky(name: string, failures: number, options: StepOptions, error: (attempt: number) => unknown) {
  const { clock, ...rest } = cluster();
  const start = clock.now();
  const times: number[] = [];
  const body = step(
    `${name} step`,
    async () => {
      times.push(clock.now() - start);
      const { attempt } = getStepMetadata();
      expect(attempt).toBe(times.length);
      if (attempt <= failures) throw error(attempt);
      return `attempt ${attempt}`;
    },
    options,
  );
  const flow = workflow(name, async () => await body());
  return { ...rest, clock, times, flow };
}

const plain = (attempt: number) => new Error(`failure ${attempt}`);

it("tries four times by default, further and further apart", async () => {
  const { process, client, until, times, flow } = flaky("four times", 3, {}, plain);
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("attempt 4");
  // 1, 6 and 36 s, of which the random quarter is at 0.5 here.
  expect(times).toEqual([0, 875, 875 + 5_250, 875 + 5_250 + 31_500]);
});

it("warns of each failed attempt, with its error and what caused it", async () => {
  const { process, client, until, flow } = flaky("warns", 2, {}, (attempt) =>
    attempt === 1 ? plain(1) : new TypeError("fetch failed", { cause: new Error("getaddrinfo ENOTFOUND") }),
  );
  const { logs } = await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("attempt 3");
  const warnings = logs.filter(({ level }) => level === "warn");
  expect(
    warnings.map(({ fields }) => [fields.attempt, (fields.error as Error).message, fields.cause]),
  ).toEqual([
    [1, "failure 1", undefined],
    [2, "fetch failed", "getaddrinfo ENOTFOUND"],
  ]);
  expect(warnings[0]).toMatchObject({
    message: expect.stringContaining("an attempt of a step failed"),
    fields: { runId: run.runId, workflow: "warns", step: "warns step" },
  });
});

it("survives an outage of half a minute by default, however the dice fall", async () => {
  for (const random of [0, 0.999_999]) {
    const { process, client, clock, until } = cluster();
    const begin = clock.now();
    const pays = step("pays", async () => {
      if (clock.now() < begin + 30_000) throw new Error("The payment service is down.");
      return "paid";
    });
    const flow = workflow("outage", async () => await pays());
    await process({ random: () => random });
    expect(await until((await client.start(flow, [])).returnValue)).toBe("paid");
  }
});

it("retries as the process is configured where a step says nothing, and as the step says where it does", async () => {
  const world = memoryWorld();
  configure({ world, worker: false, retry: { maxRetries: 1, backoff: () => 100 } });
  onTestFinished(shutdown);
  const { process, client, until } = cluster();
  const tries: Record<string, number> = {};
  const fails = async (): Promise<never> => {
    const { stepName } = getStepMetadata();
    tries[stepName] = (tries[stepName] ?? 0) + 1;
    throw new Error("no");
  };
  const plainStep = step("plain", fails);
  const stubborn = step("stubborn", fails, { maxRetries: 4 });
  const flow = workflow("configured retries", async () => {
    await Promise.allSettled([plainStep(), stubborn()]);
  });
  await process();
  await until((await client.start(flow, [])).returnValue);
  expect(tries).toEqual({ plain: 2, stubborn: 5 });
  expect(() => configure({ world, retry: { maxRetries: -1 } })).toThrow(
    /configure\(\{ retry \}\): maxRetries must be a whole number/,
  );
  expect(() => configure({ world, retry: { backoff: { jitter: 2 } } })).toThrow(/backoff\.jitter/);
});

it("fails after four attempts, with the last error as the cause", async () => {
  const { process, client, until, types, times, flow } = flaky("always fails", 9, {}, plain);
  await process();
  const run = await client.start(flow, []);
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  expect(WorkflowRunFailedError.is(error)).toBe(true);
  const { cause } = error as { cause: Error };
  expect(FatalError.is(cause)).toBe(true);
  expect(cause).toMatchObject({
    message: 'Step "always fails step" failed after 3 retries: failure 4',
    attempt: 4,
    cause: { message: "failure 4" },
  });
  expect(times).toHaveLength(4);
  expect(types(run.runId).filter((type) => type === "step_retrying")).toHaveLength(3);
});

it("keeps the delay between its bounds: exponential, capped, the last share of it random", () => {
  const backoff = { initial: 100, factor: 3, max: "1s", jitter: 0.4 } as const;
  const delays = (random: number) =>
    [1, 2, 3, 4].map((attempt) => backoffDelay({ backoff }, attempt, null, () => random));
  expect(delays(0)).toEqual([100, 300, 900, 1000]);
  expect(delays(1)).toEqual([60, 180, 540, 600]);
  expect(backoffDelay({}, 1, null, () => 0)).toBe(1_000);
  expect(backoffDelay({}, 50, null, () => 0)).toBe(300_000);
  // 0 · ∞ is no number.
  expect(backoffDelay({ backoff: { initial: 0 } }, 5_000, null, () => 0)).toBe(0);
});

it("takes a function as backoff", async () => {
  const backoff = (attempt: number, error: unknown) => (error instanceof TypeError ? attempt * 10 : "1h");
  const { process, client, until, times, flow } = flaky("own backoff", 2, { backoff } as StepOptions, () => {
    return new TypeError("again");
  });
  await process();
  await until((await client.start(flow, [])).returnValue);
  expect(times).toEqual([0, 10, 30]);
});

it("lets RetryableError.retryAfter win over the backoff", async () => {
  const { process, client, clock, until, times, flow } = flaky("retry after", 3, {}, (attempt) => {
    if (attempt === 1) return new RetryableError("in a minute", { retryAfter: "1m" });
    if (attempt === 2) return new RetryableError("at noon", { retryAfter: new Date(clock.now() + 7_000) });
    return new RetryableError("in the past", { retryAfter: new Date(0) });
  });
  await process();
  await until((await client.start(flow, [])).returnValue);
  expect(times).toEqual([0, 60_000, 67_000, 67_000]);
});

it("ends a step at once with a FatalError, which the workflow can catch as it was thrown", async () => {
  const { process, client, until, types } = cluster();
  let calls = 0;
  const declined = step("declined", async () => {
    calls++;
    throw new FatalError("Card declined", { cause: new RangeError("limit") });
  });
  const flow = workflow("catches", async () => {
    try {
      return await declined();
    } catch (error) {
      return {
        isFatal: FatalError.is(error) && error instanceof FatalError,
        message: (error as Error).message,
        cause:
          (error as Error).cause instanceof RangeError && (error as Error & { cause: Error }).cause.message,
        stepName: (error as { stepName?: string }).stepName,
      };
    }
  });
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual({
    isFatal: true,
    message: "Card declined",
    cause: "limit",
    stepName: "declined",
  });
  expect(calls).toBe(1);
  expect(types(run.runId)).not.toContain("step_retrying");
});

it("asks `retryable` which errors are worth another attempt", async () => {
  const retryable = (error: unknown) => (error as Error).message !== "failure 2";
  const { process, client, until, times, flow } = flaky("choosy", 9, { retryable }, plain);
  await process();
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toThrow("failure 2");
  expect(times).toHaveLength(2);
});

it("fails the step when its own retry policy throws, and keeps the step's error as the cause", async () => {
  const retryable = () => {
    throw new Error("broken policy");
  };
  const { process, client, until, flow } = flaky("broken policy", 9, { retryable }, plain);
  await process();
  const error = await until((await client.start(flow, [])).returnValue.catch((reason: Error) => reason));
  expect(error).toMatchObject({
    cause: { message: "The retry policy of step broken policy step threw: Error: broken policy" },
  });
  expect(error).toMatchObject({ cause: { cause: { message: "failure 1" } } });
});

it.each(["retryable", "backoff"] as const)(
  "refuses a promise of %s, and its rejection ends no process",
  async (option) => {
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => void rejections.push(reason);
    globalThis.process.on("unhandledRejection", onRejection);
    onTestFinished(() => void globalThis.process.off("unhandledRejection", onRejection));
    const options = { [option]: async () => await Promise.reject(new Error("asks a service")) };
    const { process, client, until, flow } = flaky(`async ${option}`, 9, options, plain);
    await process();
    const error = await until((await client.start(flow, [])).returnValue.catch((reason: Error) => reason));
    expect(error).toMatchObject({ cause: { message: expect.stringContaining(`${option} gave a promise`) } });
    await new Promise((resolve) => setImmediate(resolve));
    expect(rejections).toEqual([]);
  },
);

it("takes somebody else's error of the name RetryableError, which says no time", async () => {
  const own = () => Object.assign(new Error("mine"), { name: "RetryableError" });
  const { process, client, until, times, flow } = flaky("foreign", 1, {}, own);
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("attempt 2");
  expect(times).toEqual([0, 1_000]);
});

it("calls a step with maxRetries 0 at most once", async () => {
  const { process, client, until, times, flow } = flaky("once", 9, { maxRetries: 0 }, plain);
  await process();
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toThrow("failure 1");
  expect(times).toHaveLength(1);
});

it("calls a step with maxRetries 0 at most once also when its worker dies", async () => {
  const { process, client, clock, until, settle, types } = cluster();
  let calls = 0;
  const hangs = step(
    "hangs",
    () => {
      calls++;
      return new Promise<never>(() => {});
    },
    { maxRetries: 0 },
  );
  const flow = workflow("at most once", async () => {
    return await hangs().catch((error: Error) => ({ name: error.name, message: error.message }));
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  expect(calls).toBe(1);
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  expect(await until(run.returnValue)).toEqual({
    name: "StepInterruptedError",
    message: expect.stringContaining('The worker was lost during attempt 1 of step "hangs"'),
  });
  expect(calls).toBe(1);
  expect(types(run.runId)).not.toContain("step_retrying");
});

it("counts a lost worker as an attempt, but not as one of the step's retries", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const attempts: number[] = [];
  const ids = new Set<string>();
  const slow = step("slow", async () => {
    const { attempt, stepId } = getStepMetadata();
    attempts.push(attempt);
    ids.add(stepId);
    if (attempt <= 3) await new Promise<never>(() => {});
    if (attempt <= 6) throw new Error(`failure in attempt ${attempt}`);
    return "done";
  });
  const flow = workflow("three lost workers", async () => await slow());
  const run = await client.start(flow, []);
  for (let worker = 0; worker < 3; worker++) {
    const { kill } = await process();
    await settle();
    kill();
    await clock.advance(LEASE + 1_000);
  }
  await process();
  expect(await until(run.returnValue)).toBe("done");
  expect(attempts).toEqual([1, 2, 3, 4, 5, 6, 7]);
  expect(ids.size).toBe(1);
  const created = journal(run.runId).find(({ type }) => type === "step_created");
  expect([...ids]).toEqual([created?.id]);
});

it("gives each attempt its own time and aborts its signal when that is over", async () => {
  const { process, client, clock, until } = cluster();
  const start = clock.now();
  let reason: unknown;
  const slow = step(
    "too slow",
    async () => {
      const { signal, attempt } = getStepMetadata();
      if (attempt === 2) return clock.now() - start;
      await new Promise((resolve) => signal.addEventListener("abort", resolve));
      reason = signal.reason;
    },
    { timeout: "30s", backoff: () => 0 },
  );
  const flow = workflow("has a timeout", async () => await slow());
  await process();
  expect(await until((await client.start(flow, [])).returnValue)).toBe(30_000);
  expect(StepTimeoutError.is(reason)).toBe(true);
});

it("goes on after a timeout also if the body ignores its signal, and discards its late result", async () => {
  const { process, client, until, settle, types } = cluster();
  const [first, second] = [gate<string>(), gate<string>()];
  const deaf = step("deaf", () => (getStepMetadata().attempt === 1 ? first : second).promise, {
    timeout: 1_000,
    backoff: () => {
      // The first body ends when its attempt is over, and before the second begins.
      first.open("late");
      second.open("second");
      return 5_000;
    },
  });
  const flow = workflow("deaf body", async () => await deaf());
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("second");
  await settle();
  expect(types(run.runId).filter((type) => type === "step_completed")).toHaveLength(1);
});

it("fails because of a StepTimeoutError when the last attempt runs out of time", async () => {
  const { process, client, until } = cluster();
  const slow = step("never", () => new Promise<never>(() => {}), { timeout: 1_000, maxRetries: 1 });
  const flow = workflow("never in time", async () => await slow());
  await process();
  const error = await until((await client.start(flow, [])).returnValue.catch((reason: Error) => reason));
  const { cause } = (error as Error).cause as Error;
  expect(StepTimeoutError.is(cause)).toBe(true);
  expect(cause).toMatchObject({ stepName: "never", attempt: 2, timeoutMs: 1_000 });
});

it("starts no attempt after the deadline", async () => {
  const options: StepOptions = { maxRetries: Infinity, deadline: "10s", backoff: () => 3_000 };
  const { process, client, until, times, flow } = flaky("deadline", 99, options, plain);
  await process();
  await expect(until((await client.start(flow, [])).returnValue)).rejects.toThrow("failure 4");
  expect(times).toEqual([0, 3_000, 6_000, 9_000]);
});

it("reads the options at each attempt, so they can be set as properties", async () => {
  const { process, client, until, times, flow } = flaky("property", 9, {}, plain);
  const body = step("with property", async () => await flow());
  body.maxRetries = 0;
  const outer = workflow("property outer", async () => await body());
  await process();
  await expect(until((await client.start(outer, [])).returnValue)).rejects.toThrow("failure 1");
  expect(times).toHaveLength(1);
});

it("refuses options that make no sense where they are given", () => {
  const body = async () => {};
  expect(() => step("x", body, { maxRetries: -1 })).toThrow(/Step x: maxRetries must be a whole number/);
  expect(() => step("x", body, { maxRetries: 1.5 })).toThrow(/maxRetries/);
  expect(() => step("x", body, { timeout: "soon" as never })).toThrow(/is not a duration/);
  expect(() => step("x", body, { deadline: -1 })).toThrow(/is not a duration/);
  expect(() => step("x", body, { backoff: { initial: "x" as never } })).toThrow(/is not a duration/);
  expect(() => step("x", body, { backoff: { factor: -2 } })).toThrow(/Step x: backoff.factor/);
  expect(() => step("x", body, { backoff: { jitter: Number.NaN } })).toThrow(/Step x: backoff.jitter/);
});
