import {
  FatalError,
  registerClass,
  step,
  WORKFLOW_DESERIALIZE,
  WORKFLOW_SERIALIZE,
  workflow,
} from "@perdure/core";
import { expect, it } from "vitest";
import { cluster, gate, LEASE } from "./cluster.ts";

// Arguments and results cross the journal by value: what arrives is equal, and nobody else's.

class Money {
  readonly cents: number;
  constructor(cents: number) {
    this.cents = cents;
  }
  static [WORKFLOW_SERIALIZE](money: Money): unknown {
    return { cents: money.cents };
  }
  static [WORKFLOW_DESERIALIZE](data: { cents: number }): Money {
    return new Money(data.cents);
  }
}
registerClass("test/Money", Money);

const cyclic: { self?: unknown; list: unknown[] } = { list: [] };
cyclic.self = cyclic;
cyclic.list.push(cyclic);

const values = {
  nothing: undefined,
  hole: [1, undefined, 3],
  zero: -0,
  notANumber: Number.NaN,
  infinite: Number.NEGATIVE_INFINITY,
  big: 2n ** 70n,
  date: new Date(0),
  pattern: /a+/giu,
  map: new Map<unknown, unknown>([["k", new Set([1, "2"])]]),
  url: new URL("https://example.com/a?b=c"),
  bytes: new Uint8Array([0, 255, 7]),
  floats: new Float64Array([0.1, -0]),
  buffer: new Uint8Array([1, 2, 3]).buffer,
  headers: new Headers({ "x-key": "value" }),
  money: new Money(4200),
  fatal: new FatalError("fatal", { cause: new TypeError("type") }),
  cyclic,
};

it("carries every value through arguments, steps and results as it was", async () => {
  const { process, client, until } = cluster();
  const seen: unknown[] = [];
  const echo = step("echo", async (value: typeof values) => {
    seen.push(value);
    return value;
  });
  const flow = workflow("values", async (value: typeof values) => {
    const back = await echo(value);
    return { back, same: back.cyclic.self === back.cyclic, class: back.money instanceof Money };
  });
  await process();
  const run = await client.start<{ back: typeof values; same: boolean; class: boolean }>(flow, [values]);
  const result = await until(run.returnValue);
  expect(result).toMatchObject({ same: true, class: true });
  for (const copy of [seen[0], result.back] as (typeof values)[]) {
    expect(copy).toEqual(values);
    expect(Object.keys(copy)).toEqual(Object.keys(values));
    expect(Object.is(copy.zero, -0)).toBe(true);
    expect(copy.money).toBeInstanceOf(Money);
    expect(FatalError.is(copy.fatal)).toBe(true);
    expect(copy.fatal.cause).toBeInstanceOf(TypeError);
    expect([...copy.headers]).toEqual([["x-key", "value"]]);
    expect(copy.cyclic.list[0]).toBe(copy.cyclic);
  }
});

it("carries no value at all: no arguments, no result", async () => {
  const { process, client, until } = cluster();
  const counts = step("counts", async (...args: unknown[]) => args.length);
  const nothing = step("nothing", async () => {});
  const flow = workflow("no values", async (...args: unknown[]) => {
    return [args.length, await counts(), await counts(undefined), await nothing(), null];
  });
  const none = workflow("no result", async () => {});
  await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual([0, 0, 1, undefined, null]);
  expect(await until((await client.start(none, [])).returnValue)).toBeUndefined();
});

it("gives copies: what a step does to its arguments, or a workflow to a result, is nobody else's business", async () => {
  const { process, client, until } = cluster();
  const kept: { list: number[] }[] = [];
  const mutates = step("mutates", async (value: { list: number[] }) => {
    value.list.push(2);
    kept.push(value);
    return value;
  });
  const flow = workflow("by value", async (input: { list: number[] }) => {
    const result = await mutates(input);
    result.list.push(3);
    return [input, result];
  });
  await process();
  const input = { list: [1] };
  const run = await client.start(flow, [input]);
  input.list.push(99);
  expect(await until(run.returnValue)).toEqual([{ list: [1] }, { list: [1, 2, 3] }]);
  expect(kept).toEqual([{ list: [1, 2] }]);
});

it("gives every attempt the arguments as they were at the call", async () => {
  const { process, client, until } = cluster();
  const seen: number[][] = [];
  const greedy = step(
    "greedy",
    async (list: number[]) => {
      seen.push([...list]);
      list.length = 0;
      if (seen.length < 3) throw new Error("again");
    },
    { backoff: () => 0 },
  );
  const flow = workflow("fresh arguments", async () => {
    const list = [1, 2];
    const done = greedy(list);
    list.push(3);
    await done;
  });
  await process();
  await until((await client.start(flow, [])).returnValue);
  expect(seen).toEqual([
    [1, 2],
    [1, 2],
    [1, 2],
  ]);
});

it("gives a worker that takes over the arguments of the first call, whatever the code would pass now", async () => {
  const { process, client, clock, until, settle } = cluster();
  const opened = gate();
  let passed = "first";
  const seen: string[] = [];
  const takes = step("takes", async (value: string) => {
    seen.push(value);
    await opened.promise;
  });
  const flow = workflow("impure", async () => await takes(passed));
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  first.kill();
  passed = "second";
  await process();
  await clock.advance(LEASE + 1_000);
  opened.open();
  await until(run.returnValue);
  expect(seen).toEqual(["first", "first"]);
});
