import { createHook, sleep, step, workflow } from "@perdure/core";
import { getRun, resumeHook, start } from "@perdure/core/api";
import { SerializationError, WorkflowRunCancelledError } from "@perdure/core/errors";
import { configure, shutdown } from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import { expect, it, onTestFinished } from "vitest";

// What is passed is taken as it is at the call: a program may use its object again at once.

function program(): void {
  configure({ world: memoryWorld(), worker: true });
  onTestFinished(shutdown);
}

it("start() takes arguments and options as they are at the call", async () => {
  program();
  const flow = workflow("takes", async (order: { customer: string }, bytes: Uint8Array) => [
    order.customer,
    ...bytes,
  ]);
  const order = { customer: "" };
  const bytes = new Uint8Array(1);
  const options = { idempotencyKey: "", ttl: new Date(), onConflict: "reject" as const };
  const starting = ["alice", "bob", "carol"].map((customer, index) => {
    order.customer = customer;
    bytes[0] = index;
    options.idempotencyKey = `charge ${customer}`;
    return start(flow, [order, bytes], options);
  });
  options.idempotencyKey = "";
  options.ttl.setTime(Number.NaN);
  const runs = await Promise.all(starting);
  expect(await Promise.all(runs.map((run) => run.returnValue))).toEqual([
    ["alice", 0],
    ["bob", 1],
    ["carol", 2],
  ]);
});

it("resumeHook() and cancel() do so as well", async () => {
  program();
  const listen = workflow("listens", async () => {
    const payloads: unknown[] = [];
    for await (const payload of createHook({ token: "inbox" }))
      if (payloads.push(payload) === 3) return payloads;
  });
  const waits = workflow("waits", async () => await sleep("1d"));
  const [listening, waiting] = [await start(listen), await start(waits)];
  const options = { idempotencyKey: "" };
  const why = { reason: "" };
  const hook = { token: "inbox" };
  const payload = { n: 0 };
  await expect
    .poll(() =>
      resumeHook(hook, payload).then(
        () => true,
        () => false,
      ),
    )
    .toBe(true);
  const sending = [1, 2].map((n) => {
    payload.n = n;
    options.idempotencyKey = `message ${n}`;
    return resumeHook(hook, payload, options);
  });
  payload.n = 0;
  hook.token = "";
  why.reason = "asked for";
  const cancelling = getRun(waiting.runId).cancel(why);
  why.reason = "";
  await Promise.all([...sending, cancelling]);
  expect(await listening.returnValue).toEqual([{ n: 0 }, { n: 1 }, { n: 2 }]);
  const error = await waiting.returnValue.catch((reason: unknown) => reason);
  expect(WorkflowRunCancelledError.is(error) && error.reason).toBe("asked for");
});

it("a step takes its arguments as they are at the call, and a hook its metadata", async () => {
  program();
  const takes = step("takes", async (order: { customer: string }) => order.customer);
  const flow = workflow("calls steps", async () => {
    const order = { customer: "alice" };
    const taking = takes(order);
    order.customer = "bob";
    return [await taking, await takes(order)];
  });
  expect(await (await start(flow)).returnValue).toEqual(["alice", "bob"]);
});

it("a workflow's return value is taken when it returns, and its error when it throws", async () => {
  program();
  const later = async (change: () => void): Promise<void> => {
    // Beside the function's own end: some microtasks later, and before anything is committed.
    for (let turn = 0; turn < 20; turn++) await undefined;
    change();
  };
  const returns = workflow("returns", async () => {
    const receipt = { total: 1 };
    void later(() => {
      receipt.total = 2;
    });
    return receipt;
  });
  const throws = workflow("throws", async () => {
    const error = new Error("as thrown");
    void later(() => {
      error.message = "changed";
    });
    throw error;
  });
  expect(await (await start(returns)).returnValue).toEqual({ total: 1 });
  await expect((await start(throws)).returnValue).rejects.toThrow(/as thrown/);
});

it("what cannot be stored is a rejection, and not thrown at the caller", async () => {
  program();
  const flow = workflow("refuses", async (_: unknown) => {});
  const deep = Array.from({ length: 5_400 }).reduce<unknown>((inner) => [inner], -0);
  for (const value of [() => {}, deep]) {
    const calls = [
      start(flow, [value]),
      resumeHook("nobody", value),
      getRun("wrun_1").cancel({ reason: value as string }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      expect(result.status === "rejected" && SerializationError.is(result.reason)).toBe(true);
    }
  }
});
