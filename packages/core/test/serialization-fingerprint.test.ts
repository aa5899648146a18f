import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { encode, fingerprint } from "../src/serialization/index.ts";

const print = (args: unknown, workflow = "charge"): string => fingerprint(workflow, encode(args, "args"));

describe("fingerprint", () => {
  it("is 64 hexadecimal characters, the same in every version", () => {
    expect(print([{ customerId: "cus_1", amount: 100 }])).toMatchInlineSnapshot(
      `"e0d405be1809b6f3a9a1cb869bd4056b52e74878f9d9f204c93c391f45fb5171"`,
    );
    expect(print([new Map([["a", new Date(0)]])])).toMatchInlineSnapshot(
      `"1b55708d9b7bd447e9c4605d4e43c3cc7dc1845d9b0556bcdcd3cddbe6da6d64"`,
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

  it("depends on everything else", () => {
    const shared = { at: new Date(0) };
    const different = [
      undefined,
      [],
      [undefined],
      [null],
      [1],
      ["1"],
      [-0],
      [0],
      [[1, 2]],
      [[2, 1]],
      [{ a: 1 }],
      [{ a: undefined }],
      [{}],
      [{ a: 1n }],
      [new Map([[1, 2]])],
      [new Map([[2, 1]])],
      [new Set([1, 2])],
      [new Set([2, 1])],
      [new Date(0)],
      [new Date(1)],
      ["1970-01-01T00:00:00.000Z"],
      [shared, shared],
      [shared, { ...shared }],
      [new Uint8Array([1])],
      [new Int8Array([1])],
      [Object.assign(new Array(100), { 50: -0 })],
      [Object.assign(new Array(100), { 51: -0 })],
    ].map((args) => print(args));
    expect(new Set(different).size).toBe(different.length);
    expect(print([1], "charge")).not.toBe(print([1], "refund"));
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
