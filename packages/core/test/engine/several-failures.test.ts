import { createHook, getStepMetadata, step, workflow } from "@perdure/core";
import { FatalError } from "@perdure/core/errors";
import { beforeEach, expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// A retry of a run in which several steps failed: together, one after the other, or caught.

const calls: string[] = [];
const ids: Map<string, Set<string>> = new Map();
const broken: Set<string> = new Set();
const ends: Map<string, PromiseLike<unknown>> = new Map();

beforeEach(() => {
  for (const all of [calls, ids, broken, ends]) "clear" in all ? all.clear() : all.splice(0);
});

const charge = step("charges", async (what: string) => {
  calls.push(what);
  ids.set(what, (ids.get(what) ?? new Set()).add(getStepMetadata().stepId));
  if (broken.has(what)) throw new FatalError(`${what} is broken`);
  await ends.get(what);
  return `${what} done`;
});

/** Runs it with these steps broken, mends them, and gives what its retries, so many, do. */
async function brought(flow: () => Promise<unknown>, fails: readonly string[], retries = 1) {
  const { process, client, clock, settle, until, types } = cluster();
  const worker = await process({ alwaysReplay: true });
  for (const what of fails) broken.add(what);
  let run = await client.start<unknown>(workflow("has failures", flow), []);
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  const before = calls.splice(0);
  for (let retry = 0; retry < retries; retry++) {
    run = await run.retry();
    if (retry < retries - 1) await until(run.returnValue.catch(() => {}));
  }
  await settle();
  worker.kill();
  await clock.advance(LEASE + 1);
  await process({ alwaysReplay: true });
  const value = await until(run.returnValue);
  return { value, before, types: types(run.runId) };
}

async function all(...whats: string[]): Promise<unknown[]> {
  const results = await Promise.allSettled(whats.map((what) => charge(what)));
  const errors = results.flatMap((result) => (result.status === "rejected" ? [result.reason] : []));
  if (errors.length > 0) throw new Error(`${errors.length} have failed`);
  return results.map((result) => (result as PromiseFulfilledResult<unknown>).value);
}

it("mends all that failed side by side at once, and calls nothing twice that was done", async () => {
  const { value } = await brought(async () => await all("a", "b", "c", "d"), ["a", "c"]);
  expect(value).toEqual(["a done", "b done", "c done", "d done"]);
  expect(calls).toEqual(["a", "c"]);
  expect([...ids.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1]);
});

it("leaves a failure alone that the code has gone on from", async () => {
  const flow = async (): Promise<unknown> => {
    const first = await charge("first").catch(async () => await charge("instead"));
    const beside = charge("beside").catch(async () => await charge("instead, too"));
    const [pair, second] = await Promise.allSettled([all("a", "b"), beside]);
    if (pair.status === "rejected") throw new Error("no pair", { cause: pair.reason });
    return [first, ...pair.value, (second as PromiseFulfilledResult<unknown>).value];
  };
  const { value } = await brought(flow, ["first", "beside", "a", "b"]);
  expect(value).toEqual(["instead done", "a done", "b done", "instead, too done"]);
  expect(calls).toEqual(["a", "b"]);
});

const ITEMS = ["1", "2", "3", "4", "5"];

it.each([
  ["names the failures", 1],
  ["does not name them", 2],
])(
  "calls no other step of a loop that collects its failures again, where its error %s",
  async (names, retries) => {
    const flow = async (): Promise<unknown> => {
      const errors: unknown[] = [];
      const done: unknown[] = [];
      for (const item of ITEMS) {
        try {
          done.push(await charge(item));
        } catch (error) {
          errors.push(error);
        }
      }
      if (errors.length === 0) return done;
      throw names === "names the failures"
        ? new AggregateError(errors, "some failed")
        : new Error("some failed");
    };
    const { value, before } = await brought(flow, ["2", "4"], retries);
    expect(before).toEqual(ITEMS);
    expect(value).toEqual(ITEMS.map((item) => `${item} done`));
    expect([...calls].sort()).toEqual(["2", "4"]);
    expect([...ids.values()].map(({ size }) => size)).toEqual([1, 1, 1, 1, 1]);
  },
);

it("gives what was called with other arguments an id of its own, in a retry of the retry as well", async () => {
  const { process, client, settle, until } = cluster();
  await process({ alwaysReplay: true });
  let suffix = "";
  const flow = workflow("changes", async () => {
    const failures: string[] = [];
    for (const what of ["a", `b${suffix}`, "c"]) {
      await charge(what).catch((error: Error) => failures.push(error.message));
    }
    if (failures.length > 0) throw new Error(failures.join());
    return suffix;
  });
  broken.add("a").add("c");
  const run = await client.start<string>(flow, []);
  await until(run.returnValue.catch(() => {}));
  suffix = "2";
  broken.delete("c");
  const second = await run.retry();
  await until(second.returnValue.catch(() => {}));
  broken.clear();
  const third = await second.retry();
  await settle();
  expect(await until(third.returnValue)).toBe("2");
  // The first retry begins before "c", the second one before "a".
  expect(calls).toEqual(["a", "b", "c", "c", "a", "b2"]);
  expect(ids.get("b2")?.size).toBe(1);
  expect(ids.get("b2")).not.toEqual(ids.get("b"));
  expect([ids.get("a")?.size, ids.get("c")?.size]).toEqual([1, 1]);
});

it("gives what failed other ids where the old ones are burnt, and keeps those of the rest", async () => {
  const { process, client, until } = cluster();
  await process({ alwaysReplay: true });
  const flow = workflow("burns", async () => await all("a", "b", "c", "d"));
  broken.add("a").add("c");
  const run = await client.start<string[]>(flow, []);
  await until(run.returnValue.catch(() => {}));
  const second = await run.retry({ keys: "new" });
  await until(second.returnValue.catch(() => {}));
  broken.clear();
  const third = await second.retry();
  expect(await until(third.returnValue)).toEqual(["a done", "b done", "c done", "d done"]);
  expect(calls).toEqual(["a", "b", "c", "d", "a", "c", "a", "c"]);
  expect([..."abcd"].map((what) => ids.get(what)?.size)).toEqual([2, 1, 2, 1]);
});

it("reads again what came for its hooks after the first of the failures", async () => {
  const { process, client, settle, until } = cluster();
  await process({ alwaysReplay: true });
  let open = (): void => {};
  ends.set(
    "slow",
    new Promise<void>((resolve) => {
      open = resolve;
    }),
  );
  const flow = workflow("reads beside", async () => {
    const hook = createHook<string>({ token: "beside" });
    const results = await Promise.allSettled([charge("fails"), hook, charge("slow")]);
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  });
  broken.add("fails");
  const run = await client.start<string[]>(flow, []);
  await settle();
  await client.resumeHook("beside", "payload");
  await settle();
  open();
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  const again = await run.retry();
  expect(await until(again.returnValue)).toEqual(["fails done", "payload", "slow done"]);
  expect(calls).toEqual(["fails", "slow", "fails"]);
});

it("knows steps by their arguments, in whatever order they are called then", async () => {
  const { process, client, until } = cluster();
  await process({ alwaysReplay: true });
  let order = ["a", "b", "c"];
  const flow = workflow("in any order", async () => {
    const first = await charge("first").catch(() => null);
    const others = await Promise.all(order.map((what) => charge(what)));
    if (first === null) throw new Error("the first has failed");
    return [first, ...others];
  });
  broken.add("first");
  const run = await client.start<string[]>(flow, []);
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  order = ["c", "a", "b"];
  const again = await run.retry();
  expect(await until(again.returnValue)).toEqual(["first done", "c done", "a done", "b done"]);
  expect(calls).toEqual(["first", "a", "b", "c", "first"]);
  const fork = await again.fork({ fromStep: [...(ids.get("first") ?? [])][0] ?? "" });
  await until(fork.returnValue);
  expect(calls.slice(5)).toEqual(["first", "c", "a", "b"]);
  expect([...ids.values()].map(({ size }) => size)).toEqual([2, 2, 2, 2]);
});
