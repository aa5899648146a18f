import { registerClass, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { step as compiledStep, methods, registerIfStored } from "@perdure/core/compiled";
import { expect, it } from "vitest";
import { WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../../src/serialization/classes.ts";
import { decode, encode } from "../../src/serialization/index.ts";
import { cluster, LEASE } from "./cluster.ts";

// Steps, workflows and classes as values.

/** A value as it comes out of the journal. */
const one = <T>(value: T): T => (decode(encode([value], "args")) as [T])[0];

type Add = (n: number) => Promise<number>;

/** As compiled code makes a step inside another function, here and where that function never ran. */
function adder(by: unknown): Add {
  return compiledStep(
    "adder/add",
    async (n: number) => n + (typeof by === "function" ? await (by as Add)(0) : (by as number)),
    () => ({ by }),
  );
}
compiledStep.code("adder/add", ({ by }: { by: unknown }) => async (n: number) => {
  return n + (typeof by === "function" ? await (by as Add)(0) : (by as number));
});

it("gives back the functions and classes of this process", () => {
  const pay = step("values pay", async () => 1);
  const run = workflow("values run", async () => 2);
  class Plain {}
  registerClass("values/Plain", Plain);
  expect(one(pay)).toBe(pay);
  expect(one(run)).toBe(run);
  expect(one(Plain)).toBe(Plain);
  const shared = one({ a: pay, b: [pay] });
  expect(shared.a).toBe(shared.b[0]);
});

it("takes what has the id of a step for that step, and calls steps by their id", async () => {
  const { process, client, until, types } = cluster();
  const double = step("values double", async (n: number) => 2 * n);
  const named = Object.assign(() => {}, { stepId: (double as { stepId?: string }).stepId });
  expect(one(named)).toBe(double);
  const useStep = Reflect.get(globalThis, Symbol.for("WORKFLOW_USE_STEP")) as (id: string) => Add;
  const run = workflow("values by id", async (given: Add) => {
    const missing = await useStep("values of nobody")(1).catch((error: Error) => error.message);
    return [await given(1), await useStep("values double")(2), missing];
  });
  await process();
  const started = await client.start(run, [named as unknown as Add]);
  expect(await until(started.returnValue)).toEqual([
    2,
    4,
    expect.stringMatching(/^Step "values of nobody" is not registered/),
  ]);
  expect(types(started.runId).filter((type) => /_(retrying|failed)$/.test(type))).toEqual(["step_failed"]);
});

it("makes a step again of what it captured, also of another step, and of what contains it", async () => {
  const add = adder(2);
  const again = one(add);
  expect(again).not.toBe(add);
  expect(await again(1)).toBe(3);
  expect(await one(adder(adder(5)))(1)).toBe(6);
  expect(await one(one(adder(7)))(1)).toBe(8);
  const list: { add?: Add; n: number } = { n: 1 };
  list.add = compiledStep(
    "knows itself",
    async () => list.n,
    () => ({ list }),
  );
  compiledStep.code("knows itself", ({ list: known }: { list: typeof list }) => async () => {
    return known.add === undefined ? -1 : known.n;
  });
  expect(await one(list.add)(0)).toBe(1);
});

it("says what is no value, and what to do", () => {
  const refusal = (value: unknown): string => {
    try {
      encode([value], "args");
    } catch (error) {
      return (error as Error).message;
    }
    return "stored";
  };
  expect(refusal(() => 1)).toMatch(/^args\[0\] is a function, .* Mark it "use step", or pass data/);
  expect(refusal(class Unknown {})).toMatch(
    /^args\[0\] is a class \(Unknown\) that is not registered, .*registerClass\(id, cls\)/,
  );
  expect(refusal(adder(() => 1))).toMatch(/^args\[0\]\.closure\.by is a function/);
  const early = compiledStep(
    "too early",
    async () => late,
    () => ({ late }),
  );
  expect(refusal(early)).toMatch(/the step "too early", whose variables cannot be read yet: ReferenceError/);
  const late = 1;
  const unknown = encode([step("forgotten", async () => 1)], "args") as Uint8Array;
  const text = Buffer.from(unknown).toString().replace("forgotten", "forgettem");
  expect(() => decode(Buffer.from(text))).toThrow(
    /is the step "forgettem", which is not registered in this process. Import/,
  );
  expect(decode(Buffer.from(text), { lenient: true })).toEqual([{ step: "forgettem" }]);
});

it("passes steps to steps, workflows and children, over a crash, under ids that do not collide", async () => {
  const { process, client, clock, until, settle, journal } = cluster();
  const calls: string[] = [];
  const double = step("values double", async (n: number) => {
    calls.push(`double ${n}`);
    return n * 2;
  });
  const apply = step("values apply", async (fn: Add, n: number) => await fn(n));
  const give = step("values give", async () => ({ double, add: adder(10) }));
  const wait = step("values wait", async () => {
    calls.push("wait");
    if (calls.filter((call) => call === "wait").length === 1) await new Promise(() => {});
  });
  const child = workflow("values child", async (fn: Add) => [await fn(1), await fn(2)]);
  const parent = workflow("values parent", async (given: Add, childOf: typeof child) => {
    const { double: received, add } = await give();
    const results = [await given(1), await received(2), await double(3), await add(4), await adder(1)(5)];
    results.push(await apply(add, 6));
    results.push(...((await (await start(childOf, [add])).returnValue) as number[]));
    await wait();
    return [...results, await add(7)];
  });
  const first = await process();
  const run = await client.start<number[]>(parent, [double, child]);
  await settle();
  first.kill();
  await clock.advance(LEASE + 1);
  await process();
  expect(await until(run.returnValue)).toEqual([2, 4, 6, 14, 6, 16, 11, 12, 17]);
  expect(calls.filter((call) => call !== "wait")).toEqual(["double 1", "double 2", "double 3"]);
  const created = journal(run.runId).filter(({ type }) => type === "step_created");
  expect(new Set(created.map(({ id }) => id)).size).toBe(created.length);
  expect(created.filter(({ name }) => name === "adder/add")).toHaveLength(3);
});

it("does not store a step that only its own workflow can call", async () => {
  const { process, client, until } = cluster();
  const apply = step("values apply local", async (fn: () => Promise<number>) => await fn());
  const run = workflow("values local", async () => {
    const local = step("values made inside", async () => 1);
    return await apply(local).catch((error: Error) => error.message);
  });
  await process();
  expect(await until((await client.start(run, [])).returnValue)).toMatch(
    /is the step "values made inside", which was made inside a workflow or step .* Declare it in the module/,
  );
});

it("takes the `this` of an instance's step by value, and gives a generator's values as a list", async () => {
  const { process, client, until, journal } = cluster();
  class Counter {
    #from: number;
    constructor(from: number) {
      this.#from = from;
    }
    static [WORKFLOW_SERIALIZE](counter: Counter) {
      return counter.#from;
    }
    static [WORKFLOW_DESERIALIZE](from: number) {
      return new Counter(from);
    }
    async *count(to: number) {
      for (let n = this.#from; n <= to; n++) yield n;
    }
    get next(): Promise<number> {
      return Promise.resolve(++this.#from);
    }
  }
  registerIfStored("values/Counter", Counter);
  methods(Counter.prototype, {
    count: ["step", "Counter#count"],
    next: { get: ["step", "Counter#next"] },
  });
  const run = workflow("values counter", async () => {
    const counter = new Counter(1);
    const seen: number[] = [await counter.next, await counter.next];
    for await (const n of counter.count(3)) seen.push(n);
    return [seen, await counter.count(2)];
  });
  await process();
  const started = await client.start(run, []);
  expect(await until(started.returnValue)).toEqual([
    [2, 2, 1, 2, 3],
    [1, 2],
  ]);
  const created = journal(started.runId).find(({ name }) => name === "Counter#next");
  expect(decode(created?.data ?? null)).toEqual([new Counter(1)]);
});
