import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import { SerializationError } from "../src/errors/index.ts";
import { MAX_DEPTH } from "../src/serialization/depth.ts";
import { decode, decodeError, encode, encodeError, fingerprint } from "../src/serialization/index.ts";

type Wrap = (inner: unknown) => unknown;

/** `levels`: how many levels one wrap is stored as, where JSON does not suffice. */
const WRAPS: readonly (readonly [string, Wrap, levels: number])[] = [
  ["arrays", (inner) => [inner], 1],
  ["objects", (inner) => ({ inner }), 1],
  ["objects without a prototype", (inner) => Object.assign(Object.create(null), { inner }), 1],
  ["maps", (inner) => new Map([["inner", inner]]), 1],
  ["keys of maps", (inner) => new Map([[inner, 1]]), 1],
  ["sets", (inner) => new Set([inner]), 1],
  ["objects with an own __proto__", (inner) => Object.fromEntries([["__proto__", inner]]), 2],
  [
    "objects with a getter",
    (inner) => ({
      get inner() {
        return inner;
      },
    }),
    1,
  ],
];

function nested(wrap: Wrap, levels: number, leaf: unknown): unknown {
  let value: unknown = leaf;
  for (let level = 0; level < levels; level++) value = wrap(value);
  return value;
}

/** Calls `fn` where a good part of the stack is in use. */
function farDownTheStack<T>(fn: () => T): T {
  const depth = (): number => {
    try {
      return depth() + 1;
    } catch {
      return 1;
    }
  };
  const descend = (left: number): T => (left <= 0 ? fn() : descend(left - 1));
  return descend(Math.floor(depth() / 4));
}

describe("nesting", () => {
  for (const leaf of [1, -0]) {
    it.each(WRAPS)(
      `has the same limit everywhere: %s, around ${Object.is(leaf, -0) ? "-0" : leaf}`,
      (_, wrap, levelsOfOne) => {
        const most = MAX_DEPTH / (leaf === 1 ? 1 : levelsOfOne);
        const bytes = encode(nested(wrap, most, leaf), "payload");
        expect(fingerprint("w", bytes)).toMatch(/^[0-9a-f]{64}$/);
        expect(() => farDownTheStack(() => decode(bytes))).not.toThrow();
        for (const levels of [most + 1, 5_400, 20_000]) {
          const encoding = () => encode(nested(wrap, levels, leaf), "payload");
          expect(encoding).toThrow(SerializationError);
          expect(encoding).toThrow(/^payload\S* is nested too deeply/);
          expect(encoding).toThrow(expect.objectContaining({ message: expect.stringMatching(/^.{1,400}$/) }));
        }
      },
    );
  }

  it("is counted along the longest way that is written, not the shortest that there is", () => {
    let inner: unknown = -0;
    for (let level = 0; level < 30; level++) {
      // The value of the map is met first inside of its own key.
      inner = new Map([[nested((value) => [value], 100, inner), inner]]);
    }
    expect(() => encode(inner, "payload")).toThrow(/nested too deeply/);
  });

  it("can be read in a thread with a stack of half of the usual size", async () => {
    const bytes = encode(
      nested((inner) => [inner], MAX_DEPTH, -0),
      "payload",
    ) as Uint8Array;
    const source = `
      const { parentPort, workerData } = require("node:worker_threads");
      import(workerData.module).then(({ parse }) => {
        let value = parse(workerData.text);
        let levels = 0;
        while (Array.isArray(value)) { value = value[0]; levels++; }
        parentPort.postMessage(levels);
      });`;
    const worker = new Worker(source, {
      eval: true,
      resourceLimits: { stackSizeMb: 0.5 },
      workerData: { module: import.meta.resolve("devalue"), text: Buffer.from(bytes).toString("utf8", 1) },
    });
    const levels = await new Promise((resolve, reject) =>
      worker.once("message", resolve).once("error", reject),
    );
    await worker.terminate();
    expect(levels).toBe(MAX_DEPTH);
  });

  it("never hides an error that was thrown", () => {
    let cause: Error = new Error("the first");
    for (let level = 0; level < 1_000; level++) cause = new Error(`level ${level}`, { cause });
    let inner: Error = new Error("the first");
    for (let level = 0; level < 1_000; level++) inner = Object.assign(new Error(`level ${level}`), { inner });
    const deep = Object.assign(new Error("deep"), { data: nested((value) => [value], 5_400, 1), code: "E" });
    const edge = Object.assign(new Error("edge"), {
      data: nested((value) => [value], MAX_DEPTH, -0),
      code: "E",
    });
    const aggregate = new AggregateError([deep, edge], "several");
    for (const thrown of [cause, inner, deep, edge, aggregate]) {
      const read = decodeError(encodeError(thrown)) as Error;
      expect(read.message).toBe(thrown.message);
      expect(read.constructor).toBe(thrown.constructor);
    }
    expect(decodeError(encodeError(deep))).toMatchObject({ code: "E" });
    expect(decodeError(encodeError(edge))).toMatchObject({ code: "E" });
    expect(decodeError(encodeError(nested((value) => [value], 5_400, 1)))).toMatchObject({
      message: expect.stringMatching(/cannot be stored was thrown.*nested too deeply/),
    });
  });
});
