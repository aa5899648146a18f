import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encode, fingerprint } from "../src/serialization/index.ts";

const print = (args: unknown, workflow = "charge"): string => fingerprint(workflow, encode(args, "args"));

describe("fingerprint", () => {
  it("is 64 hexadecimal characters, the same in every version", () => {
    expect(print([{ customerId: "cus_1", amount: 100 }])).toMatchInlineSnapshot(
      `"cd802622ad009c62f5ccb462a046d21fc32a043130e1f6104172b36fecd46cbc"`,
    );
    expect(print([new Map([["a", new Date(0)]])])).toMatchInlineSnapshot(
      `"5e4ab190348b5ebf1d1d6404264f75e791a862cf3a0a091338fe2764c97fb2d6"`,
    );
    expect(print(undefined)).toMatch(/^[0-9a-f]{64}$/);
  });

  it.each([
    [
      { a: 1, b: [{ c: 1, d: 2 }] },
      { b: [{ d: 2, c: 1 }], a: 1 },
    ],
    [
      { a: new Date(0), b: { c: 1n, d: 2n } },
      { b: { d: 2n, c: 1n }, a: new Date(0) },
    ],
    [
      Object.assign(Object.create(null), { a: 1, b: -0 }),
      Object.assign(Object.create(null), { b: -0, a: 1 }),
    ],
  ])("does not depend on the order of keys, case %#", (one, other) => {
    expect(print([one])).toBe(print([other]));
  });

  const at = new Date(0);
  const shared = { at };
  const bytes = [1, 2, 3];
  it.each<[what: string, one: unknown[], other: unknown[]]>([
    ["a missing argument", ["order"], ["order", undefined]],
    ["several missing arguments", [], [undefined, undefined]],
    ["a missing argument after something that JSON has not", [1n], [1n, undefined]],
    ["a missing property", [{ id: 1 }], [{ id: 1, note: undefined }]],
    ["a missing property, deep", [[{ at, a: {} }]], [[{ at, a: { b: undefined } }]]],
    ["an array's undefined after JSON", [[undefined, 1]], [[null, 1]]],
    ["an argument's undefined after JSON", [undefined, 1], [null, 1]],
    [
      "a hole after JSON",
      [Object.assign(new Array(40), { 20: 1 })],
      [Array.from({ length: 40 }, (_, i) => (i === 20 ? 1 : null))],
    ],
    ["minus zero", [{ amount: -0 }], [{ amount: 0 }]],
    ["one object twice and two equal ones", [shared, shared], [shared, { ...shared }]],
    ["the same, of plain JSON", [{ a: bytes, b: bytes }], [{ a: bytes, b: [...bytes] }]],
    ["a date after JSON", [{ at }], [{ at: at.toJSON() }]],
    ["a URL after JSON", [new URL("https://a.example/b")], ["https://a.example/b"]],
    ["a boxed primitive after JSON", [Object("a"), Object(1)], ["a", 1]],
    ["no prototype", [Object.assign(Object.create(null), { a: 1 })], [{ a: 1 }]],
    ["an own __proto__", [JSON.parse('{"__proto__":1,"a":-0}')], [JSON.parse('{"a":0,"__proto__":1}')]],
    ["a buffer and its bytes", [Buffer.from(bytes)], [new Uint8Array(bytes)]],
    ["an error made elsewhere", [new TypeError("x")], [((): Error => new TypeError("x"))()]],
  ])("does not count %s", (_, one, other) => {
    expect(print(one)).toBe(print(other));
    expect(print(other)).toBe(print(one));
  });

  it("depends on everything else", () => {
    const different = [
      undefined,
      [],
      [null],
      [null, null],
      [1],
      ["1"],
      [0],
      [Number.NaN],
      [[1, 2]],
      [[2, 1]],
      [[]],
      [[undefined]],
      [[null, null]],
      [{ a: 1 }],
      [{ a: null }],
      [{}],
      [{ a: 1n }],
      [{ "a:1": 1 }],
      ["{a:1}"],
      [new Map([[1, 2]])],
      [new Map([[2, 1]])],
      [new Set([1, 2])],
      [new Set([2, 1])],
      [new Date(0)],
      [new Date(1)],
      [new Date(Number.NaN)],
      [""],
      [new Uint8Array([1])],
      [new Int8Array([1])],
      [new Error("a")],
      [new Error("b")],
      [new TypeError("a")],
      [Object.assign(new Array(100), { 50: -0 })],
      [Object.assign(new Array(100), { 51: -0 })],
      ["x".repeat(1_000)],
      ["y".repeat(1_000)],
      [Array.from({ length: 300 }, () => "x")],
      [Array.from({ length: 300 }, () => "y")],
    ].map((args) => print(args));
    expect(new Set(different).size).toBe(different.length);
    expect(print([1], "charge")).not.toBe(print([1], "refund"));
    expect(print([1], "\ud800")).not.toBe(print([1], "\ud801"));
  });

  it("for any JSON, is that of the same after JSON, and of no other", () => {
    const undefinedAdded = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(undefinedAdded);
      if (typeof value !== "object" || value === null) return value;
      return { nothing: undefined, ...value };
    };
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.array(fc.jsonValue()), (args, others) => {
        expect(print(undefinedAdded(args))).toBe(print(args));
        const parsed = (value: unknown) => JSON.parse(JSON.stringify(value));
        expect(print(parsed(args))).toBe(print(args));
        let equal = true;
        try {
          expect(parsed(args)).toEqual(parsed(others));
        } catch {
          equal = false;
        }
        expect(print(args) === print(others)).toBe(equal);
      }),
    );
  });

  it("takes a value in which one object is met through very many paths", () => {
    const diamond = (leaf: unknown): unknown => {
      let value = leaf;
      for (let level = 0; level < 200; level++) value = [value, value];
      return value;
    };
    expect(print([diamond({ a: 1 })])).toBe(print([diamond({ a: 1 })]));
    expect(print([diamond({ a: 1 })])).not.toBe(print([diamond({ a: 2 })]));
    const loop: unknown[] = [];
    loop.push(diamond(loop));
    expect(print([loop])).toMatch(/^[0-9a-f]{64}$/);
  });

  it("is the same for cycles entered alike", () => {
    const cycle = (flip: boolean): unknown => {
      const inner: Record<string, unknown> = flip ? { z: 1n, a: 2n } : { a: 2n, z: 1n };
      inner.self = inner;
      return [inner];
    };
    expect(print(cycle(false))).toBe(print(cycle(true)));
  });

  it("does not count the order of keys beside an own __proto__", () => {
    const date = new Date(0);
    for (const prototype of [Object.prototype, null]) {
      const make = (entries: readonly (readonly [string, unknown])[]) =>
        Object.defineProperties(
          Object.create(prototype),
          Object.fromEntries(
            entries.map(([key, value]) => [
              key,
              { value, enumerable: true, writable: true, configurable: true },
            ]),
          ),
        );
      const entries = [
        ["__proto__", ""],
        ["", date],
      ] as const;
      expect(print([make([...entries].reverse())])).toBe(print([make(entries)]));
      expect(print([make([["__proto__", "x"], entries[1]])])).not.toBe(print([make(entries)]));
    }
  });

  it("for any arguments, is that of the same with its keys reversed", () => {
    const reversed = (value: unknown): unknown => {
      if (Array.isArray(value)) return value.map(reversed);
      if (typeof value !== "object" || value === null || Object.getPrototypeOf(value) !== Object.prototype)
        return value;
      return Object.fromEntries(
        Object.entries(value)
          .reverse()
          .map(([key, item]) => [key, reversed(item)]),
      );
    };
    fc.assert(
      fc.property(fc.array(fc.anything({ withBigInt: true, withDate: true })), (args) => {
        expect(print(reversed(args))).toBe(print(args));
      }),
    );
  });
});
