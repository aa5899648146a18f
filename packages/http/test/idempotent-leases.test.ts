import { WorldError } from "@perdure/core/errors";
import { MemoryState, memoryWorld, virtualClock } from "@perdure/core/testing";
import { expect, test } from "vitest";
import { type IdempotencyContext, IdempotencyLayer } from "../src/idempotency/layer.ts";
import type { IdempotentOptions } from "../src/idempotency/options.ts";

// Keys under leases: processes that die, stand still, or do not reach the store. Time is a test's.

const LEASE = 15_000;
const DAY = 86_400_000;

/** One store and its clock; each process reaches it through a World of its own. */
function cluster() {
  const clock = virtualClock();
  const state = new MemoryState();
  const process = (options: IdempotentOptions = {}) => {
    let fault: (operation: string) => unknown = () => undefined;
    const world = memoryWorld({
      state,
      beforeOperation: async (operation) => {
        await fault(operation);
      },
    });
    const layer = new IdempotencyLayer("idempotent()", { world, logger: "silent", ...options }, clock);
    return {
      /** What becomes of each call of the store from now on. */
      fault: (next: (operation: string) => unknown) => {
        fault = next;
      },
      kill: () => {
        fault = () => new Promise(() => {});
      },
      send: (handler: (context: IdempotencyContext) => Promise<Response>, body = "{}") => {
        const headers = { "idempotency-key": "k", "x-api-key": "a" };
        const request = new Request("http://a/", { method: "POST", headers, body });
        return layer.handle(request, (_, context) => handler(context));
      },
    };
  };
  return { clock, state, process };
}

const hangs = (): Promise<Response> => new Promise(() => {});
const says = (text: string) => async (): Promise<Response> => new Response(text);
/** Answers when the test says so. */
function later() {
  let answer: (text: string) => void = () => {};
  const answered = new Promise<string>((resolve) => {
    answer = resolve;
  });
  let context: IdempotencyContext | undefined;
  return {
    answer,
    context: () => context as IdempotencyContext,
    handler: async (given: IdempotencyContext): Promise<Response> => {
      context = given;
      return new Response(await answered);
    },
  };
}
async function seen(sent: Promise<Response>): Promise<unknown> {
  const response = await sent;
  return [response.status, response.headers.get("idempotent-replayed"), await response.text()];
}

test("the key of a process that died is taken over after its lease, and the handler is told", async () => {
  const { clock, process } = cluster();
  const [dead, alive] = [process(), process()];
  void dead.send(hangs);
  await clock.advance(1_000);
  dead.kill();
  await clock.advance(LEASE - 1_001);
  expect((await alive.send(says("never"))).status).toBe(409);
  await clock.advance(1);
  expect((await alive.send(says("never"), "other")).status).toBe(422);
  expect(await seen(alive.send(async ({ attempt }) => new Response(`attempt ${attempt}`)))).toEqual([
    200,
    null,
    "attempt 2",
  ]);
  expect(await seen(alive.send(says("never")))).toEqual([200, "true", "attempt 2"]);
});

test("a handler keeps its key for as long as it lives", async () => {
  const { clock, process } = cluster();
  const [slow, other] = [process(), process()];
  const { handler, answer, context } = later();
  const answered = slow.send(handler);
  for (let minutes = 0; minutes < 5; minutes++) {
    await clock.advance(60_000);
    expect((await other.send(says("never"))).status).toBe(409);
  }
  answer("at last");
  expect(await seen(answered)).toEqual([200, null, "at last"]);
  expect(context().signal.aborted).toBe(false);
  expect(await seen(other.send(says("never")))).toEqual([200, "true", "at last"]);
});

test("one that outlives its lease is aborted, and answers what the record says", async () => {
  const { clock, process } = cluster();
  const [stuck, other] = [process(), process()];
  const { handler, answer, context } = later();
  const answered = stuck.send(handler);
  await clock.advance(1_000);
  stuck.fault((operation) => {
    if (operation === "writeRecords") throw new WorldError("away", { retryable: true });
  });
  await clock.advance(LEASE);
  expect(context().signal.aborted).toBe(true);
  expect(() => context().begin()).toThrow(/lease/);
  // Before anybody has the key: it is in flight.
  expect((await answered).status).toBe(409);
  expect(await seen(other.send(says("the second")))).toEqual([200, null, "the second"]);
  stuck.fault(() => undefined);
  answer("the first");
  await clock.advance(1_000);
  expect(await seen(stuck.send(says("never")))).toEqual([200, "true", "the second"]);
});

test("a handler that returns when another has answered gives that answer", async () => {
  const { clock, state, process } = cluster();
  const [frozen, other] = [process(), process()];
  const { handler, answer } = later();
  const answered = frozen.send(handler);
  await clock.advance(0);
  const [key] = [...state.records.keys("")];
  const record = state.records.get(key as string, clock.now());
  // As the store has it a lease later, for a process that stood still meanwhile.
  state.records.set(key as string, {
    version: record?.version as string,
    value: record?.value as Uint8Array,
    expiresAt: clock.now() + DAY - LEASE,
  });
  expect(await seen(other.send(says("the second")))).toEqual([200, null, "the second"]);
  answer("the first");
  expect(await seen(answered)).toEqual([200, "true", "the second"]);
});

test("what it answers after its lease counts if nobody has taken the key", async () => {
  const { clock, process } = cluster();
  const one = process();
  const { handler, answer } = later();
  const answered = one.send(handler);
  await clock.advance(0);
  one.fault(() => {
    throw new WorldError("away", { retryable: true });
  });
  await clock.advance(LEASE);
  expect((await answered).status).toBe(503);
  one.fault(() => undefined);
  answer("late");
  await clock.advance(0);
  expect(await seen(one.send(says("never")))).toEqual([200, "true", "late"]);
});

test("a handler that fails after it was aborted leaves the key to the next", async () => {
  const { clock, process } = cluster();
  const [stuck, other] = [process(), process()];
  const { handler, answer } = later();
  const answered = stuck.send(async (context) => {
    context.begin();
    await handler(context);
    throw new Error("aborted");
  });
  await clock.advance(0);
  stuck.fault(() => {
    throw new WorldError("away", { retryable: true });
  });
  await clock.advance(LEASE);
  expect((await answered).status).toBe(503);
  stuck.fault(() => undefined);
  answer("");
  await clock.advance(0);
  expect(await seen(other.send(async ({ attempt }) => new Response(`${attempt}`)))).toEqual([200, null, "2"]);
});

test("writes whose answers are lost on the way are not lost", async () => {
  const { clock, process } = cluster();
  const one = process();
  const { handler, answer } = later();
  const answered = one.send(handler);
  await clock.advance(0);
  /** Called before an operation and before its answer. */
  let calls = 0;
  const loseAnswer = (): void => {
    calls += 1;
    if (calls === 2) throw new WorldError("no answer", { retryable: true });
  };
  one.fault(loseAnswer);
  await clock.advance(LEASE);
  expect(calls).toBeGreaterThan(2);
  calls = 0;
  answer("once");
  await clock.advance(LEASE);
  expect(await seen(answered)).toEqual([200, null, "once"]);
  expect(calls).toBe(4);
});

test("an answer is kept for its time", async () => {
  const { clock, process } = cluster();
  const one = process({ ttl: "1h" });
  await one.send(says("first"));
  await clock.advance(3_600_000 - 1);
  expect(await seen(one.send(says("second")))).toEqual([200, "true", "first"]);
  await clock.advance(1);
  expect(await seen(one.send(says("second")))).toEqual([200, null, "second"]);
});

test("a handler that never ends is aborted after its time, and its key can be handled again after the lease", async () => {
  const { clock, process } = cluster();
  const { send } = process({ timeout: "1m" });
  const never = later();
  const first = send(never.handler);
  await clock.advance(59_999);
  expect(never.context().signal.aborted).toBe(false);
  await clock.advance(1);
  const { status, headers } = await first;
  expect([status, headers.get("retry-after")]).toEqual([504, "15"]);
  expect(String(never.context().signal.reason)).toContain("within 60000 ms");
  expect(() => never.context().begin()).toThrow("60000 ms");
  // Renewed for the last time after 55 s at the latest.
  expect((await send(says("never"))).status).toBe(409);
  await clock.advance(LEASE);
  expect(await seen(send(async ({ attempt }) => new Response(`attempt ${attempt}`)))).toEqual([
    200,
    null,
    "attempt 2",
  ]);
  never.answer("late");
  expect(await seen(send(says("never")))).toEqual([200, "true", "attempt 2"]);
});

test("what a handler answers after its time counts if nobody has handled the key meanwhile", async () => {
  const { clock, process } = cluster();
  const { send } = process({ timeout: "1m" });
  const slow = later();
  const first = send(slow.handler);
  await clock.advance(60_000);
  expect((await first).status).toBe(504);
  slow.answer("late");
  await clock.advance(0);
  expect(await seen(send(says("never")))).toEqual([200, "true", "late"]);
});
