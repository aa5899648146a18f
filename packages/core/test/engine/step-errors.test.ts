import { runInNewContext } from "node:vm";
import {
  FatalError,
  registerClass,
  step,
  WORKFLOW_DESERIALIZE,
  WORKFLOW_SERIALIZE,
  workflow,
} from "@perdure/core";
import { WorkflowRunFailedError } from "@perdure/core/errors";
import { coldReplay } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// What is thrown in a step arrives in the workflow, and at the one who started it, as it was thrown.

class InsufficientFunds extends Error {
  override readonly name = "InsufficientFunds";
  readonly missing = 17;
}

const once = { maxRetries: 0 } as const;

/** The error with which the run of a workflow fails. */
async function failureOf(
  id: string,
  body: () => Promise<unknown>,
): Promise<WorkflowRunFailedError & { readonly cause: Error }> {
  const { process, client, until } = cluster();
  await process();
  const run = await client.start(workflow(id, body), []);
  const error = await until(run.returnValue.catch((reason: unknown) => reason));
  if (!WorkflowRunFailedError.is(error)) throw new Error("The run has not failed.");
  expect(error.runId).toBe(run.runId);
  return error as WorkflowRunFailedError & { readonly cause: Error };
}

it("names workflow, run, step and attempt", async () => {
  const charge = step(
    "charge",
    async () => {
      throw new Error("connection reset");
    },
    { maxRetries: 1, backoff: () => 0 },
  );
  const error = await failureOf("names all", charge);
  expect(error.message).toBe(
    `Workflow run "${error.runId}" of "names all" failed: Step "charge" failed after 1 retry: connection reset ` +
      "(perdure/docs/errors/RUN_FAILED.md)",
  );
  expect(error.cause).toMatchObject({
    stepName: "charge",
    attempt: 2,
    stepId: expect.stringMatching(/^step_/),
  });
});

it("keeps the stack with the file and line of the user's own code", async () => {
  const broken = step("broken", async () => throwDeep(), once);
  const { cause } = await failureOf("keeps the stack", broken);
  expect(cause.stack).toMatch(/^TypeError: deep\n/);
  expect(cause.stack).toMatch(/throwDeep .*step-errors\.test\.ts:\d+:\d+/);
});

function throwDeep(): never {
  throw new TypeError("deep");
}

it("keeps class, properties and causes, and the name of a class that is not known", async () => {
  const pay = step(
    "pay",
    async () => {
      throw new InsufficientFunds("17 missing", { cause: new RangeError("limit", { cause: "soft" }) });
    },
    once,
  );
  const { cause } = await failureOf("keeps causes", async () => {
    try {
      await pay();
    } catch (error) {
      expect(error).toBeInstanceOf(Error);
      throw error;
    }
  });
  expect(cause).toMatchObject({ name: "InsufficientFunds", message: "17 missing", missing: 17 });
  expect(cause.cause).toBeInstanceOf(RangeError);
  expect((cause.cause as Error).cause).toBe("soft");
});

it("bounds the size of what is stored", async () => {
  const { process, client, until, state } = cluster();
  const huge = step(
    "huge",
    async () => {
      const error = new Error("x".repeat(1_000_000), { cause: new Error("y".repeat(1_000_000)) });
      throw Object.assign(error, { response: "z".repeat(1_000_000) });
    },
    once,
  );
  await process();
  const run = await client.start(workflow("bounded", huge), []);
  const error = (await until(run.returnValue.catch((reason: unknown) => reason))) as Error;
  expect((error.cause as Error).message).toMatch(/^x+… \[cut: 1000000 bytes in all\]$/);
  for (const { data } of state.runs.get(run.runId)?.journal ?? []) {
    expect(data?.length ?? 0).toBeLessThanOrEqual(64 * 1024);
  }
});

it("takes what is thrown that is no error, and what cannot be stored", async () => {
  const text = await failureOf("a text", async () => {
    throw "no error at all";
  });
  expect(text).toMatchObject({ cause: "no error at all", errorCode: "USER_ERROR" });
  expect(text.message).toMatch(/failed: The workflow threw "no error at all" \(perdure/);
  const nothing = await failureOf("nothing", async () => {
    throw undefined;
  });
  expect(nothing.cause).toBe(undefined);
  expect(nothing.message).toMatch(/failed: The workflow threw undefined \(perdure/);
  const frozen = step(
    "frozen",
    async () => {
      throw Object.freeze(new Error("frozen"));
    },
    once,
  );
  expect((await failureOf("frozen error", frozen)).cause.message).toBe("frozen");
  const socket = step(
    "socket",
    async () => {
      throw { socket: () => {} };
    },
    once,
  );
  const { cause } = await failureOf("no data", socket);
  expect(cause.message).toMatch(
    /^Step "socket" failed after 0 retries: A value that cannot be stored was thrown/,
  );
  expect((cause.cause as Error).message).toMatch(/A value that cannot be stored was thrown/);
});

async function readOut(response: Response): Promise<Response> {
  await response.text();
  return response;
}

it.each<[what: string, result: () => unknown, path: RegExp]>([
  [
    "a function in it",
    () => ({ connection: { socket: () => {} } }),
    /result\.connection\.socket is a function/,
  ],
  [
    "a Response that was read",
    () => readOut(Response.json({ id: "ch_1" })),
    /result has a body that was read/,
  ],
  ["an instance of a class", () => new (class Receipt {})(), /result is an instance of Receipt/],
  [
    "a getter that throws",
    () => ({
      get id() {
        throw new Error("gone");
      },
    }),
    /result\.id cannot be read/,
  ],
  [
    "too deep a value",
    () => Array.from({ length: 5_400 }).reduce((inner) => [inner], -0),
    /nested too deeply/,
  ],
])(
  "fails a step at once whose result cannot be stored, and says that the body has run: %s",
  async (what, result, path) => {
    let executed = 0;
    const opens = step("opens", async () => {
      executed++;
      return await result();
    });
    const { cause } = await failureOf(what, opens);
    expect(cause.message).toMatch(
      /^Failed to serialize step return value: the step has done its work, but its result/,
    );
    expect(cause.message).toMatch(path);
    expect(cause).toMatchObject({ stepName: "opens", attempt: 1 });
    expect(FatalError.is(cause)).toBe(true);
    expect(cause.name).toBe("SerializationError");
    expect(executed).toBe(1);
  },
);

class Shared extends Error {
  attempt = "the remote job's";
  get stepName(): string {
    return "capture";
  }
}

it("never writes into what was thrown, and puts its facts where the error has no such property", async () => {
  const { process, client, until } = cluster();
  const constant = { reason: "declined" };
  const frozen = Object.freeze(new TypeError("frozen"));
  const shared = new Error("shared by all runs");
  const own = new Shared("has its own");
  const inherited = Object.assign(Object.create(own), { message: "a copy" });
  const thrown = [constant, frozen, shared, own, inherited, "text", null];
  const before = thrown.map((value) => value && Object.getOwnPropertyDescriptors(value));
  const fails = step("fails", async (index: number) => Promise.reject(thrown[index]), once);
  const flow = workflow("throws constants", async () => {
    const caught = [];
    for (const index of thrown.keys()) {
      const error = await fails(index).catch((reason: unknown) => reason);
      if (!(error instanceof Error)) throw new Error("What is caught is no error.");
      caught.push({ ...error, message: error.message, ...("cause" in error && { cause: error.cause }) });
    }
    return caught;
  });
  await process();
  const facts = { stepName: "fails", stepId: expect.stringMatching(/^step_/), attempt: 1 };
  const { stepId } = facts;
  const wrapped = { ...facts, code: "FATAL", fatal: true, retryable: false };
  const said = 'Step "fails" failed after 0 retries: ';
  expect(await until((await client.start(flow, [])).returnValue)).toEqual([
    { ...wrapped, message: `${said}{"reason":"declined"}`, cause: constant },
    { ...facts, message: "frozen" },
    { ...facts, message: "shared by all runs" },
    // A getter is part of its class, which is not known where the error is read.
    { attempt: "the remote job's", stepId, message: "has its own" },
    { stepId, message: "a copy" },
    { ...wrapped, message: `${said}text`, cause: "text" },
    { ...wrapped, message: `${said}null`, cause: null },
  ]);
  expect(thrown.map((value) => value && Object.getOwnPropertyDescriptors(value))).toEqual(before);
});

function withGetter(key: string): Error {
  return Object.defineProperty(new Error("said"), key, {
    get() {
      throw new Error("gone");
    },
  });
}

const traps: ProxyHandler<Error> = {
  get() {
    throw new Error("no");
  },
  getPrototypeOf() {
    throw new Error("no");
  },
};

it.each<[string, unknown, unknown]>([
  ["an unreadable name", withGetter("name"), "said"],
  ["an unreadable cause", withGetter("cause"), "said"],
  ["an unreadable cause of its cause", new Error("said", { cause: withGetter("cause") }), "said"],
  ["a name that is no text", Object.assign(new Error("said"), { name: Symbol("name") }), "said"],
  ["an unreadable message", withGetter("message"), ""],
  ["a proxy that cannot be asked", new Proxy(new Error("said"), traps), expect.stringContaining("Proxy")],
  ["an error of another realm", runInNewContext("new TypeError('said')"), "said"],
])("ends nobody's process and fails the step as any other: %s", async (_, value, said) => {
  const { process, client, until } = cluster();
  const throws = step("throws", async () => {
    throw value;
  });
  Object.assign(throws, { maxRetries: 1, backoff: { initial: 0 } });
  const flow = workflow("hostile", async () => await throws());
  await process();
  const run = await client.start(flow, []);
  const { cause } = (await until(run.returnValue.catch((error: unknown) => error))) as { cause: Error };
  expect(cause.message).toContain("failed after 1 retry: ");
  expect((cause.cause as Error).message).toEqual(said);
  expect(cause.message.endsWith((cause.cause as Error).message)).toBe(true);
});

it("fails a step whose arguments cannot be stored, in the journal and without calling its body", async () => {
  const { process, client, clock, until, types, journal } = cluster();
  let called = 0;
  const takes = step("takes", async (_: unknown) => {
    called++;
  });
  const flow = workflow("bad arguments", async () => {
    return await takes({ user: { socket: () => {} } }).catch((error: Error) => [error.name, error.message]);
  });
  await process();
  const run = await client.start<string>(flow, []);
  expect(await until(run.returnValue)).toEqual([
    "SerializationError",
    expect.stringMatching(/^Failed to serialize step arguments: args\[0\]\.user\.socket is a function/),
  ]);
  expect(called).toBe(0);
  expect(types(run.runId)).toEqual([
    "run_created",
    "run_started",
    "step_created",
    "step_failed",
    "run_completed",
  ]);
  const replay = await coldReplay({ runId: run.runId, workflow: "bad arguments" }, journal(run.runId), clock);
  expect(replay).toMatchObject({ outcome: "returned", unmatched: [] });
});

it("fails the run whose result cannot be stored, with the path", async () => {
  const { cause } = await failureOf("return value", async () => ({ list: [1, () => {}] }));
  expect(cause.message).toMatch(/^return value\.list\[1\] /);
});

it("counts an error that is thrown before the body's first await like any other", async () => {
  const calls: number[] = [];
  const sync = step("sync", (() => {
    calls.push(1);
    throw new Error("not even a promise");
  }) as () => Promise<void>);
  sync.backoff = () => 0;
  const { cause } = await failureOf("sync throw", sync);
  expect(cause).toMatchObject({ cause: { message: "not even a promise" }, attempt: 4 });
  expect(calls).toHaveLength(4);
});

it("gives the workflow the same error again in a replay", async () => {
  const { process, client, clock, until, settle } = cluster();
  const seen: string[] = [];
  const fails = step("fails", async () => {
    throw new FatalError("for good", { cause: new InsufficientFunds("3 missing") });
  });
  const catching = workflow("catches and waits", async () => {
    try {
      await fails();
    } catch (error) {
      const { name, message, stack, cause } = error as Error & { cause: Error };
      seen.push(JSON.stringify([name, message, stack, cause.name, cause.message, FatalError.is(error)]));
      await hang();
    }
  });
  const hang = step("hang", async () => {
    if (seen.length === 1) await new Promise<never>(() => {});
  });
  const first = await process();
  const run = await client.start(catching, []);
  await settle();
  first.kill();
  await process();
  await clock.advance(LEASE + 1_000);
  await until(run.returnValue);
  expect(seen).toHaveLength(2);
  expect(seen[1]).toBe(seen[0]);
});

it("keeps an error with a property whose class refuses its data: the data is in the property's place", async () => {
  class Amount {
    readonly cents = 5;
    static [WORKFLOW_SERIALIZE](amount: Amount): unknown {
      return { cents: amount.cents };
    }
    static [WORKFLOW_DESERIALIZE](): Amount {
      throw new TypeError("an unknown currency");
    }
  }
  registerClass("refused amount", Amount);
  const refund = step(
    "refund",
    async () => {
      throw Object.assign(new RangeError("too much"), { amount: new Amount() });
    },
    once,
  );
  const { cause } = await failureOf("unreadable property", refund);
  expect(cause).toBeInstanceOf(RangeError);
  expect(cause).toMatchObject({ message: "too much", amount: { cents: 5 } });
});
