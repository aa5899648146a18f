import { createHook, FatalError, RetryableError, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { StepOutcomeUnknownError } from "@perdure/core/errors";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Steps with semantics "at-most-once": no second call of a body of which nobody knows what it has done.

/** A step whose calls hang until their worker dies, but for those of `answers`. */
function hanging(name: string, options: Parameters<typeof step>[2], ...answers: readonly (() => unknown)[]) {
  const calls: unknown[] = [];
  const body = gate();
  const charge = step(
    name,
    async (customer: string, amount: number) => {
      calls.push([customer, amount]);
      const answer = answers[calls.length - 1];
      if (answer === undefined) await body.promise;
      return answer?.();
    },
    { semantics: "at-most-once", ...options },
  );
  const flow = workflow(`${name} flow`, async () => {
    try {
      return await charge("cus_1", 42);
    } catch (error) {
      const { stepId, cause } = error as StepOutcomeUnknownError;
      return {
        unknown: StepOutcomeUnknownError.is(error),
        stepId,
        cause: String(cause),
        error: String(error),
      };
    }
  });
  return { calls, flow };
}

it.each([3, 0])(
  "gives an interrupted attempt as an unknown outcome, with maxRetries %i",
  async (maxRetries) => {
    const { process, client, clock, until, settle, journal } = cluster();
    const { calls, flow } = hanging("charge", { maxRetries });
    const first = await process();
    const run = await client.start<object>(flow, []);
    await settle();
    first.kill();
    await clock.advance(LEASE + 1);
    await process();
    const stepId = journal(run.runId).find(({ type }) => type === "step_created")?.id;
    expect(await until(run.returnValue)).toMatchObject({
      unknown: true,
      stepId,
      cause: expect.stringContaining("StepInterruptedError"),
    });
    expect(calls).toHaveLength(1);
  },
);

it.each([3, 0])("asks reconcile in place of the body, with maxRetries %i", async (maxRetries) => {
  const { process, client, clock, until, settle, journal } = cluster();
  const asked: unknown[][] = [];
  const reconcile = async (...given: unknown[]) => {
    asked.push(given);
    return "ch_1";
  };
  const { calls, flow } = hanging("reconciled", { maxRetries, reconcile });
  const first = await process();
  const run = await client.start<string>(flow, []);
  await settle();
  expect(asked).toEqual([]);
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  expect(await until(run.returnValue)).toBe("ch_1");
  const stepId = journal(run.runId).find(({ type }) => type === "step_created")?.id;
  expect(asked).toEqual([[stepId, ["cus_1", 42]]]);
  expect(calls).toHaveLength(1);
});

it("calls the body when the other side knows of nothing, and reconciles again after a crash of either", async () => {
  const { process, client, clock, until, settle } = cluster();
  const order: string[] = [];
  const answers: (() => unknown)[] = [() => gate().promise, () => undefined, () => "found"];
  const reconcile = async () => {
    order.push("reconcile");
    return await answers.shift()?.();
  };
  const charge = step(
    "crashing",
    async () => {
      order.push("body");
      return await gate<string>().promise;
    },
    { semantics: "at-most-once", reconcile },
  );
  const flow = workflow("crashing flow", async () => await charge());
  let worker = await process();
  const run = await client.start<string>(flow, []);
  for (const seen of [
    ["body"],
    ["body", "reconcile"],
    ["body", "reconcile", "reconcile", "body"],
    ["body", "reconcile", "reconcile", "body", "reconcile"],
  ]) {
    await settle();
    expect(order).toEqual(seen);
    worker.kill();
    await clock.advance(LEASE + 1);
    if (seen.length < 5) worker = await process();
  }
  await process();
  await clock.advance(LEASE + 1);
  expect(await until(run.returnValue)).toBe("found");
});

it("treats an attempt whose time is over as unknown, and reconciles it while retries are left", async () => {
  const { process, client, until } = cluster();
  const alone = hanging("timed", { timeout: 1_000 });
  const asking = hanging(
    "timed and asked",
    { timeout: 1_000, reconcile: async () => "known" },
    () => gate().promise,
  );
  await process();
  const one = await client.start<object>(alone.flow, []);
  expect(await until(one.returnValue)).toMatchObject({
    unknown: true,
    cause: expect.stringContaining("StepTimeoutError"),
  });
  expect(alone.calls).toHaveLength(1);
  const two = await client.start(asking.flow, []);
  // The body that ignored its signal still runs: the next attempt has waited for it in vain.
  expect(await until(two.returnValue)).toMatchObject({ unknown: true });
  expect(asking.calls).toHaveLength(1);
});

it("does not repeat what the body throws, unless it says that it may be called again", async () => {
  const { process, client, until } = cluster();
  const thrown = hanging("thrown", {}, () => {
    throw new Error("who knows");
  });
  const again = hanging(
    "again",
    {},
    () => {
      throw new RetryableError("busy", { retryAfter: 1_000 });
    },
    () => "done",
  );
  const asked: number[] = [];
  const asking = hanging(
    "asking",
    {
      reconcile: async () => {
        asked.push(1);
        if (asked.length === 1) throw new Error("the other side is down");
        return "found";
      },
    },
    () => {
      throw new Error("who knows");
    },
  );
  await process();
  const one = await client.start<object>(thrown.flow, []);
  expect(await until(one.returnValue)).toMatchObject({ unknown: false, error: "Error: who knows" });
  expect(thrown.calls).toHaveLength(1);
  const two = await client.start(again.flow, []);
  expect(await until(two.returnValue)).toBe("done");
  const three = await client.start(asking.flow, []);
  expect(await until(three.returnValue)).toBe("found");
  expect([asking.calls.length, asked.length]).toEqual([1, 2]);
});

it("fails with an unknown outcome when reconcile fails for good", async () => {
  const { process, client, clock, until, settle } = cluster();
  const down = async () => {
    throw new Error("the other side is down");
  };
  const gone = async () => {
    throw new FatalError("the other side is gone");
  };
  const cases = [hanging("down", { reconcile: down, maxRetries: 2 }), hanging("gone", { reconcile: gone })];
  const first = await process();
  const runs = [];
  for (const { flow } of cases) runs.push(await client.start<object>(flow, []));
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  expect(await until(runs[0]?.returnValue as Promise<object>)).toMatchObject({
    unknown: true,
    cause: "Error: the other side is down",
  });
  expect(await until(runs[1]?.returnValue as Promise<object>)).toMatchObject({
    unknown: false,
    error: "FatalError: the other side is gone",
  });
  expect(cases.map(({ calls }) => calls.length)).toEqual([1, 1]);
});

it("does not begin the body when its lease was lost while the other side was asked", async () => {
  const { process, client, clock, until, settle } = cluster();
  const [asked, answer] = [gate(), gate<undefined>()];
  let asks = 0;
  const reconcile = async () => {
    if (++asks > 1) return "second worker";
    asked.open();
    return await answer.promise;
  };
  const { calls, flow } = hanging("leased", { reconcile });
  const first = await process();
  const run = await client.start<string>(flow, []);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  await until(asked.promise);
  second.kill();
  await clock.advance(LEASE + 1);
  answer.open(undefined);
  await settle();
  expect(calls).toHaveLength(1);
  await process();
  await clock.advance(LEASE + 1);
  expect(await until(run.returnValue)).toBe("second worker");
  expect(calls).toHaveLength(1);
});

it("does not begin the body when its workflow has ended while the other side was asked", async () => {
  const { process, client, clock, world, until, settle } = cluster();
  const [asked, answer] = [gate(), gate<undefined>()];
  const calls: string[] = [];
  const charge = step(
    "late",
    async () => {
      calls.push("body");
      await new Promise(() => {});
    },
    {
      semantics: "at-most-once",
      async reconcile() {
        asked.open();
        return await answer.promise;
      },
    },
  );
  const flow = workflow("does not wait for it", async () => {
    const enough = createHook<string>({ token: "enough" });
    return await Promise.race([charge(), enough]);
  });
  const first = await process();
  const run = await client.start<string>(flow, []);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  const commit: typeof world.commit = async (batch, now) => {
    // The end of the run is on its way.
    if (batch.some((request) => request.run.status === "completed")) {
      answer.open(undefined);
      await settle();
    }
    return await world.commit(batch, now);
  };
  await process({ world: { ...world, commit } });
  await until(asked.promise);
  await client.resumeHook("enough", "ended");
  expect(await until(run.returnValue)).toBe("ended");
  expect(calls).toEqual(["body"]);
});

it.each(["keep", "new"] as const)("asks first when the run is retried, with keys %s", async (keys) => {
  const { process, client, until } = cluster();
  const asked: string[] = [];
  const known: (string | undefined)[] = [undefined, "ch_1"];
  const reconcile = async (stepId: string) => {
    asked.push(stepId);
    return known.shift();
  };
  const { calls, flow } = hanging(
    `retried ${keys}`,
    { reconcile, maxRetries: 0 },
    () => {
      throw new FatalError("no answer");
    },
    () => {
      throw new FatalError("no answer again");
    },
  );
  const failing = workflow(`fails ${keys}`, async () => {
    const result = (await flow()) as { readonly error?: string } | string;
    if (typeof result === "object") throw new FatalError(String(result.error));
    return result;
  });
  await process();
  const run = await client.start<string>(failing, []);
  expect(await until(run.returnValue.catch(String))).toContain("no answer");
  expect(asked).toEqual([]);
  const second = await run.retry({ keys });
  expect(await until(second.returnValue.catch(String))).toContain("no answer again");
  const third = await second.retry({ keys });
  expect(await until(third.returnValue)).toBe("ch_1");
  expect(calls).toHaveLength(2);
  expect(asked).toHaveLength(2);
  expect(asked[0] === asked[1]).toBe(keys === "keep");
});

it("refuses options that cannot be meant", async () => {
  const body = async () => {};
  expect(() => step("typo", body, { semantics: "at-most-onze" as never })).toThrow(
    'Step typo: semantics must be "at-least-once" or "at-most-once"; got "at-most-onze".',
  );
  expect(() => step("alone", body, { reconcile: async () => 1 })).toThrow(
    'Step alone: reconcile must be a function, and semantics "at-most-once" beside it.',
  );
});

it("a run that reconcile starts is another than the one that the body starts", async () => {
  const { client, process, until, clock } = cluster();
  const child = workflow("reconcile-starts/child", async (by: string) => by);
  let calls = 0;
  const asked: string[] = [];
  const works = step(
    "reconcile-starts/works",
    async () => {
      const run = await start(child, ["body"]);
      if (++calls === 1) throw new RetryableError("again", { retryAfter: 1 });
      return await run.returnValue;
    },
    {
      semantics: "at-most-once",
      reconcile: async () => void asked.push(await (await start(child, ["reconcile"])).returnValue),
    },
  );
  await process();
  const run = await client.start(
    workflow("reconcile-starts/flow", async () => await works()),
    [],
  );
  await clock.advance(1_000);
  expect(await until(run.returnValue)).toBe("body");
  expect(asked).toEqual(["reconcile"]);
});
