import {
  acquireLock,
  createHook,
  createWebhook,
  getStepMetadata,
  once,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { start } from "@perdure/core/api";
import { DeadlockError, FatalError, WorkflowRunFailedError } from "@perdure/core/errors";
import type { MemoryState } from "@perdure/core/testing";
import { beforeEach, expect, it } from "vitest";
import { type Cluster, cluster, LEASE } from "./cluster.ts";

// What a retry makes of the requests of the run before that are no steps: children, once(), hooks, and what it failed with.

const calls: string[] = [];
const ids: Map<string, Set<string>> = new Map();
const broken: Set<string> = new Set();

beforeEach(() => {
  for (const all of [calls, ids, broken]) "clear" in all ? all.clear() : all.splice(0);
});

const charge = step("charges", async (what: string) => {
  calls.push(what);
  ids.set(what, (ids.get(what) ?? new Set()).add(getStepMetadata().stepId));
  if (broken.has(what)) throw new FatalError(`${what} is broken`);
  return `${what} done`;
});

const child = workflow("a child that charges", async (what: string) => {
  await charge(`before ${what}`);
  return await charge(what);
});

const middle = workflow("a child with a child", async (what: string) => {
  await charge(`above ${what}`);
  return await charged(what);
});

async function charged(what: string): Promise<string> {
  return await (await start(child, [what])).returnValue;
}

/** A branch that goes on beside a step that fails. */
async function beside<T>(branch: () => Promise<T>): Promise<T> {
  const [failed, result] = await Promise.allSettled([
    charge("fails"),
    // Asked for when the other one has failed.
    charge("first")
      .then(async () => await charge("second"))
      .then(branch),
    sleep("1m"),
  ]);
  if (failed.status === "rejected") throw failed.reason;
  if (result.status === "rejected") throw result.reason;
  return result.value;
}

interface Terms {
  /** What comes from outside while it runs. */
  readonly meanwhile?: (cluster: Cluster) => Promise<unknown>;
  readonly keys?: "keep" | "new";
  readonly retries?: number;
}

/** Runs it with these steps broken, mends them, and gives what its retries, so many, do. */
async function brought(flow: () => Promise<unknown>, fails: readonly string[], terms: Terms = {}) {
  const { meanwhile, keys = "keep", retries = 1 } = terms;
  const here = cluster();
  const { process, client, clock, settle, until, state } = here;
  const worker = await process({ alwaysReplay: true });
  for (const what of fails) broken.add(what);
  let run = await client.start<unknown>(workflow("is brought back", flow), []);
  await settle();
  await meanwhile?.(here);
  await until(run.returnValue.catch(() => {}));
  const before = calls.splice(0);
  for (let retry = 0; retry < retries; retry++) {
    if (retry === retries - 1) broken.clear();
    run = await run.retry({ keys });
    if (retry < retries - 1) await until(run.returnValue.catch(() => {}));
  }
  await settle();
  worker.kill();
  await clock.advance(LEASE + 1);
  const second = await process({ alwaysReplay: true });
  const value = await until(run.returnValue);
  const complaints = second.logs.filter(({ level }) => level === "error" || level === "warn");
  return { value, before, runs: state.runs.size, complaints, run, here };
}

function childOf({ runs }: MemoryState, parent: string): string {
  return [...runs.values()].find(({ row }) => row.attributes.$parent === parent)?.row.runId ?? "";
}

it.each<[string, () => Promise<unknown>, number]>([
  ["a child", () => charged("child"), 3],
  ["once()", async () => await once("a key", charge, "child"), 3],
])("starts nothing twice beside a step that failed: %s", async (_what, branch, runs) => {
  const brought1 = await brought(async () => await beside(branch), ["fails"]);
  expect(brought1).toMatchObject({ value: "child done", runs, complaints: [] });
  expect(calls).toEqual(["fails"]);
});

it("goes on with the children that it failed with, and with theirs: what they had done stays done", async () => {
  const flow = async (): Promise<unknown> => {
    await charge("first");
    const runs = await Promise.all([start(middle, ["a"]), start(middle, ["b"]), start(child, ["c"])]);
    const results = await Promise.allSettled(runs.map((run) => run.returnValue));
    return results.map((result) => {
      if (result.status === "rejected") throw result.reason;
      return result.value;
    });
  };
  // Two retries fail: each goes on once with each of them.
  const { value, before, runs, complaints } = await brought(flow, ["a", "c"], { retries: 3 });
  expect(value).toEqual(["a done", "b done", "c done"]);
  expect([...before].sort()).toEqual([
    "a",
    "above a",
    "above b",
    "b",
    "before a",
    "before b",
    "before c",
    "c",
    "first",
  ]);
  expect([...calls].sort()).toEqual(["a", "a", "a", "c", "c", "c"]);
  expect([...ids.values()].map(({ size }) => size)).toEqual(Array.from({ length: 9 }, () => 1));
  // Three retries of the run, of the child "c", of the child with a child "a", and of that one's.
  expect(runs).toBe(6 + 3 * 4);
  expect(complaints).toEqual([]);
});

it("gives what failed in a child another id where the old one is burnt", async () => {
  const { value } = await brought(async () => await charged("child"), ["child"], { keys: "new" });
  expect(value).toBe("child done");
  expect([ids.get("child")?.size, ids.get("before child")?.size]).toEqual([2, 1]);
});

it("follows a child that was retried by hand", async () => {
  const { process, client, until, state } = cluster();
  await process({ alwaysReplay: true });
  broken.add("child");
  const run = await client.start<string>(
    workflow("has a child", () => charged("child")),
    [],
  );
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  const byHand = await client.getRun(childOf(state, run.runId)).retry();
  expect(await until((await run.retry()).returnValue)).toBe("child done");
  expect(await byHand.status).toBe("completed");
  expect(state.runs.size).toBe(4);
});

it("executes what once() had failed with again, unless its failure is kept", async () => {
  const mended = await brought(async () => await once("a key", charge, "once"), ["once"]);
  expect([mended.value, calls, ids.get("once")?.size]).toEqual(["once done", ["once"], 1]);
  const flow = async (): Promise<unknown> => {
    return await once({ key: "another key", onError: "keep" }, charge, "kept");
  };
  await expect(brought(flow, ["kept"])).rejects.toThrow(/kept is broken/);
});

it("cancels the children from before when a retry is cancelled, and those of no fork", async () => {
  const { process, client, until, settle, journal, row, state } = cluster();
  await process();
  const sleeper = workflow("sleeps", async () => await sleep("1h"));
  const flow = workflow("has a child that sleeps", async () => {
    const run = await start(sleeper, []);
    await charge("fails");
    await run.returnValue;
  });
  broken.add("fails");
  const run = await client.start(flow, []);
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  const again = await run.retry();
  const fromStep = journal(run.runId).find(({ type }) => type === "step_created")?.id ?? "";
  const fork = await run.fork({ fromStep });
  const childId = childOf(state, run.runId);
  await settle();
  await fork.cancel();
  await settle();
  expect([await fork.status, row(childId).status]).toEqual(["cancelled", "running"]);
  await again.cancel();
  await settle();
  expect([await again.status, row(childId).status]).toEqual(["cancelled", "cancelled"]);
});

it.each(["a token of its own", "a random token", "a webhook"])(
  "gives a hook that was created beside a step that failed what came for it: %s",
  async (kind) => {
    let token = "";
    const tell = step("tells", async (of: string) => {
      calls.push("tells");
      token = of;
    });
    const branch = async (): Promise<unknown> => {
      using hook =
        kind === "a webhook"
          ? createWebhook()
          : createHook<string>(kind === "a random token" ? {} : { token: "own" });
      await tell(hook.token);
      const payload = await hook;
      return await charge(payload instanceof Request ? await payload.text() : payload);
    };
    const meanwhile = async ({ client, settle }: Cluster): Promise<void> => {
      if (kind === "a webhook") {
        await client.resumeWebhook(token, new Request("http://here/", { method: "POST", body: "came" }));
      } else await client.resumeHook(token, "came");
      await settle();
    };
    const { value, before } = await brought(async () => await beside(branch), ["fails"], { meanwhile });
    expect(value).toBe("came done");
    expect(before).toEqual(["fails", "first", "second", "tells", "came"]);
    expect(calls).toEqual(["fails"]);
  },
);

it("gives a hook that was created beside a step that failed what comes after its end, under its token", async () => {
  const { process, client, settle, until } = cluster();
  await process({ alwaysReplay: true });
  let token = "";
  const tell = step("tells", async (of: string) => {
    calls.push("tells");
    token = of;
  });
  const flow = workflow("waits beside", async () => {
    const branch = charge("first").then(async () => {
      await charge("second");
      using hook = createHook<string>();
      await tell(hook.token);
      return await hook;
    });
    const [failed] = await Promise.allSettled([charge("fails"), sleep("1m")]);
    if (failed.status === "rejected") throw failed.reason;
    return await branch;
  });
  broken.add("fails");
  const run = await client.start<string>(flow, []);
  await until(run.returnValue.catch(() => {}));
  broken.clear();
  calls.splice(0);
  const again = await run.retry();
  await settle();
  await client.resumeHook(token, "came late");
  expect(await until(again.returnValue)).toBe("came late");
  expect(calls).toEqual(["fails"]);
});

it("draws the random numbers that were drawn, so that a step which got one is the same", async () => {
  const branch = async (): Promise<unknown> => [
    await charge(`${Math.random()}`),
    await charge(crypto.randomUUID()),
  ];
  const { before, value } = await brought(async () => await beside(branch), ["fails"]);
  expect(before).toHaveLength(5);
  expect(value).toEqual(before.slice(3).map((what) => `${what} done`));
  expect(calls).toEqual(["fails"]);
});

it("tells the code the time of then, so that a step which got one is the same", async () => {
  const branch = async (): Promise<unknown> => {
    const first = await charge(`${Date.now()}`);
    await sleep("10s");
    return [first, await charge(new Date().toISOString())];
  };
  const { before, value } = await brought(async () => await beside(branch), ["fails"]);
  expect(before).toHaveLength(5);
  expect(value).toEqual(before.slice(3).map((what) => `${what} done`));
  expect(calls).toEqual(["fails"]);
});

it("sleeps no sleep again that had ended, and tells what came in the order in which it came", async () => {
  const slow = step("takes a while", async () => {
    calls.push("slow");
    await new Promise((resolve) => setTimeout(resolve, 0));
    return "slow";
  });
  const branch = async (): Promise<unknown> => {
    const winners: string[] = [];
    for (const other of [() => sleep("5s").then(() => "sleep"), () => charged("child")]) {
      winners.push(await Promise.race([sleep("5s").then(() => "first sleep"), other()]));
    }
    winners.push(
      await Promise.race([
        sleep("10s").then(async () => await slow()),
        sleep(new Date(Date.now() + 9_000)).then(() => "moment"),
      ]),
    );
    const at = Date.now();
    await sleep("20s");
    return [...winners, Date.now() - at];
  };
  const { value, run, here } = await brought(async () => await beside(branch), ["fails"]);
  expect(value).toEqual(["first sleep", "child done", "moment", 20_000]);
  expect(calls).toEqual(["fails"]);
  const { createdAt, completedAt } = here.row(run.runId);
  expect(completedAt).toBe(createdAt);
});

it("asks again for a lock whose wait was a deadlock", async () => {
  const { process, client, until, settle } = cluster();
  await process({ alwaysReplay: true });
  const flow = workflow("locks two", async (first: string, second: string) => {
    await using one = await acquireLock(first);
    await sleep("1s");
    await using other = await acquireLock(second);
    return await charge(`${one.key} and ${other.key}`);
  });
  const older = await client.start<string>(flow, ["a", "b"]);
  await settle();
  const younger = await client.start<string>(flow, ["b", "a"]);
  const error: unknown = await until(younger.returnValue.catch((thrown: unknown) => thrown));
  expect(WorkflowRunFailedError.is(error) && DeadlockError.is(error.cause)).toBe(true);
  await until(older.returnValue);
  expect(await until((await younger.retry()).returnValue)).toBe("b and a done");
  expect(calls).toEqual(["a and b", "b and a"]);
});

it("sees and cancels, in a child that it goes on with, the run that goes on for it", async () => {
  const slow = workflow("charges, then sleeps", async () => {
    await charge("fails");
    await sleep("1h");
  });
  const flow = async (): Promise<unknown> => {
    const run = await start(slow, []);
    const ended = run.returnValue;
    await Promise.race([ended, sleep("1m")]);
    const before = await run.status;
    await run.cancel();
    await ended.catch(() => {});
    return [before, await run.status];
  };
  const { value } = await brought(flow, ["fails"]);
  expect(value).toEqual(["running", "cancelled"]);
});
