import { describe, expect, it } from "vitest";
import { partAt, shown } from "../src/views/shown.ts";

// Values as the viewer gets them.

const whole = (value: unknown): unknown => {
  const { value: node, cut } = shown(value, { size: Number.POSITIVE_INFINITY });
  expect(cut).toBe(false);
  return JSON.parse(JSON.stringify(node));
};

class Money {
  readonly cents = 5;
}

describe("every kind of value", () => {
  const self: { name: string; self?: unknown } = { name: "me" };
  self.self = self;
  const twice = new Date(1);
  it.each<[unknown, unknown]>([
    ["text", "text"],
    [12.5, 12.5],
    [null, null],
    [true, true],
    [undefined, { type: "other", class: "undefined", text: "undefined" }],
    [12n, { type: "other", class: "bigint", text: "12n" }],
    [Number.NaN, { type: "other", class: "number", text: "NaN" }],
    [-0, { type: "other", class: "number", text: "-0" }],
    [new Date(7), { type: "date", at: 7 }],
    [new Date(Number.NaN), { type: "date", at: null }],
    [/a+/g, { type: "other", class: "RegExp", text: "/a+/g" }],
    [new URL("https://a.example/b"), { type: "other", class: "URL", text: "https://a.example/b" }],
    [new Uint8Array([1, 2]), { type: "bytes", class: "Uint8Array", base64: "AQI=", length: 2 }],
    [new Map([["a", 1]]), { type: "map", entries: [["a", 1]], length: 1 }],
    [new Set([1]), { type: "set", items: [1], length: 1 }],
    [
      { a: [1] },
      { type: "object", class: null, entries: [["a", { type: "array", items: [1], length: 1 }]], length: 1 },
    ],
    [new Money(), { type: "object", class: "Money", entries: [["cents", 5]], length: 1 }],
    [Object.create(null), { type: "object", class: null, entries: [], length: 0 }],
    [
      self,
      {
        type: "object",
        class: null,
        entries: [
          ["name", "me"],
          ["self", { type: "repeated" }],
        ],
        length: 2,
      },
    ],
    [
      [twice, twice],
      {
        type: "array",
        items: [
          { type: "date", at: 1 },
          { type: "date", at: 1 },
        ],
        length: 2,
      },
    ],
    [JSON.parse('{"__proto__": 1}'), { type: "object", class: null, entries: [["__proto__", 1]], length: 1 }],
  ])("%o", (value, node) => {
    expect(whole(value)).toEqual(node);
  });

  it("errors, with cause, properties and frames", () => {
    const error = Object.assign(new TypeError("no", { cause: new Error("why") }), { code: "E1" });
    expect(whole(error)).toMatchObject({
      type: "error",
      error: {
        name: "TypeError",
        message: "no",
        properties: [["code", "E1"]],
        cause: { type: "error", error: { message: "why" } },
        frames: expect.arrayContaining([
          expect.objectContaining({
            own: true,
            file: expect.stringMatching(/shown\.test\.ts$/),
            line: expect.any(Number),
          }),
        ]),
      },
    });
    const circular = new Error("a");
    circular.cause = circular;
    expect(whole(circular)).toMatchObject({ error: { cause: { type: "repeated" } } });
    expect(whole(new AggregateError([new Error("one")], "all"))).toMatchObject({
      error: { errors: [{ error: { message: "one" } }] },
    });
  });
});

describe("within bounds", () => {
  it("leaves out what is too much, and says how much there is", () => {
    const items = Array.from({ length: 10_000 }, (_, n) => `item ${n}`);
    const { value, cut } = shown({ items, last: 1 }, { size: 1_000 });
    expect(cut).toBe(true);
    expect(JSON.stringify(value).length).toBeLessThan(2_500);
    expect(value).toMatchObject({ length: 2, entries: [["items", { type: "array", length: 10_000 }]] });
    expect(shown("x".repeat(1_000_000), { size: 1_000 })).toMatchObject({
      cut: true,
      value: { type: "text", length: 1_000_000, text: "x".repeat(1_000) },
    });
    expect(shown(new Uint8Array(1_000_000), { size: 1_000 }).value).toMatchObject({
      type: "bytes",
      length: 1_000_000,
    });
    let deep: unknown = 1;
    for (let level = 0; level < 400; level++) deep = [deep];
    expect(JSON.stringify(shown(deep, { size: 1_000_000 }).value)).toContain('"cut"');
  });

  it("goes on where a part ended, to the end", () => {
    const items = Array.from({ length: 3_000 }, (_, n) => ({ n }));
    const seen: number[] = [];
    for (let offset = 0; offset < items.length; ) {
      const { value } = shown(items, { size: 2_000, offset });
      const { items: part } = value as unknown as { items: { entries: [string, number][] }[] };
      seen.push(...part.map(({ entries }) => entries[0]?.[1] as number));
      offset += part.length;
    }
    expect(seen).toEqual(items.map(({ n }) => n));
    const text = "abc".repeat(20_000);
    let read = "";
    while (read.length < text.length) {
      const { value } = shown(text, { size: 5_000, offset: read.length });
      read += (value as { text: string }).text;
    }
    expect(read).toBe(text);
  });
});

it("finds a part by its path", () => {
  const value = { a: [{ b: new Map([["k", new Set(["v"])]]) }], "a key": 1 };
  expect(partAt(value, ["a", 0, "b", 0, 0])).toBe("v");
  expect(partAt(value, ["a key"])).toBe(1);
  expect(partAt(value, [])).toBe(value);
  expect(partAt(value, ["a", 9, "b"])).toBe(undefined);
  expect(partAt(value, ["constructor"])).toBe(undefined);
});
