import { isDeepStrictEqual } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { SerializationError } from "../src/errors/index.ts";
import { decode, encode, isImmutable } from "../src/serialization/index.ts";

const text = (bytes: Uint8Array | null): string => Buffer.from(bytes ?? []).toString();
const copy = <T>(value: T): T => decode(encode(value, "value")) as T;
const refusal = (value: unknown, where = "value"): string => {
  try {
    encode(value, where);
  } catch (error) {
    expect(error).toBeInstanceOf(SerializationError);
    return `${(error as SerializationError).path} | ${(error as SerializationError).message}`;
  }
  throw new Error("was not refused");
};

describe("what is stored", () => {
  it("stays readable: JSON after `j`, devalue's text after `d`, nothing for undefined", () => {
    expect(text(encode({ customerId: "cus_1", amount: 100 }, "args"))).toBe(
      'j{"customerId":"cus_1","amount":100}',
    );
    expect(text(encode([new Date(0)], "args"))).toBe('d[[1],["Date","1970-01-01T00:00:00.000Z"]]');
    expect(encode(undefined, "args")).toBeNull();
    expect(decode(null)).toBeUndefined();
  });

  it.each([
    ["", /is empty/],
    ["z[]", /unknown format byte 0x7a.*newer version/],
    ["j{", /damaged/],
    ["d[[1]", /damaged/],
    ["d[[5]]", /damaged/],
  ])("is refused in words when it cannot be read: %j", (stored, message) => {
    expect(() => decode(Buffer.from(stored))).toThrow(SerializationError);
    expect(() => decode(Buffer.from(stored))).toThrow(message);
  });

  it("is read from any view of bytes", () => {
    const padded = new Uint8Array(10);
    padded.set(Buffer.from("j[1]"), 3);
    expect(decode(padded.subarray(3, 7))).toEqual([1]);
  });
});

const THEN = "then";
const sparse = new Array(3);
sparse[1] = "a";
const verySparse: unknown[] = [];
verySparse[1_000_000] = 1;

describe("values come back as they were", () => {
  it.each([
    null,
    true,
    "",
    "line\u2028 \u0000 \ud800 emoji 🎉 </script>",
    0,
    -0,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.MAX_VALUE,
    12345678901234567890n,
    [],
    {},
    [undefined],
    { a: undefined },
    sparse,
    verySparse,
    new Date(0),
    new Date(-8.64e15),
    new Date(Number.NaN),
    /a\/b"[\]]/giu,
    new Map<unknown, unknown>([[{ k: 1 }, new Set([1, [2]])]]),
    new URLSearchParams("a=1&a=2"),
    Object.assign(Object.create(null), { a: 1 }),
    JSON.parse('{"__proto__":{"polluted":true},"a":-1}'),
    Object.assign(JSON.parse('{"__proto__":{"polluted":true}}'), { at: new Date(1) }),
    Object.defineProperty(Object.create(null), "__proto__", {
      value: 1n,
      enumerable: true,
      writable: true,
      configurable: true,
    }),
    new Int8Array([-1, 1]),
    new Uint8Array([1, 255]),
    new Uint8ClampedArray([1]),
    new Int16Array([-300]),
    new Uint16Array([300]),
    new Int32Array([-70_000]),
    new Uint32Array([70_000]),
    new Float32Array([0.5, -0, Number.NaN]),
    new Float64Array([Math.PI]),
    new BigInt64Array([-1n]),
    new BigUint64Array([2n ** 63n]),
    new Uint8Array([1, 2, 3, 4]).buffer,
    new DataView(new Uint8Array([1, 2, 3, 4]).buffer, 1, 2),
    Buffer.from("héllo"),
    Object(1),
    Object("s"),
    Object(false),
    Object(1n),
    { hasOwnProperty: 1, constructor: "x", toString: null },
    { [THEN]: "not a promise" },
    { length: 3, name: "x" },
  ])("%s", (value) => {
    expect(isDeepStrictEqual(copy(value), value)).toBe(true);
    expect(isDeepStrictEqual(copy({ in: [value] }), { in: [value] })).toBe(true);
  });

  it("URL and Headers, with repeated headers apart", () => {
    const headers = new Headers({ a: "1" });
    headers.append("set-cookie", "x=1");
    headers.append("set-cookie", "y=2");
    const back = copy({ url: new URL("https://example.com/a?b#c"), headers, none: new Headers() });
    expect(back.url).toBeInstanceOf(URL);
    expect(back.url.href).toBe("https://example.com/a?b#c");
    expect(back.headers).toBeInstanceOf(Headers);
    expect([...back.headers]).toEqual([...headers]);
    expect([...back.none]).toEqual([]);
  });

  it("a Buffer of the shared pool, without its neighbours", () => {
    const secret = Buffer.from("secret");
    const bytes = encode([Buffer.from("ab"), new Uint8Array(secret.buffer, secret.byteOffset, 2)], "v");
    expect(text(bytes).length).toBeLessThan(120);
    expect(decode(bytes)).toEqual([Buffer.from("ab"), new Uint8Array(Buffer.from("se"))]);
  });

  it("as a copy that shares nothing", () => {
    const value = { list: [1], bytes: new Uint8Array(2) };
    const back = copy(value);
    back.list.push(2);
    back.bytes[0] = 1;
    expect(value).toEqual({ list: [1], bytes: new Uint8Array(2) });
  });

  it("without touching Object.prototype", () => {
    copy(JSON.parse('{"__proto__":{"polluted":true},"d":[{"__proto__":{"polluted":true}}]}'));
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it("with cycles and repeated references", () => {
    const shared = { n: 1 };
    const value: Record<string, unknown> = { a: shared, b: shared, map: new Map(), set: new Set() };
    value.self = value;
    (value.map as Map<unknown, unknown>).set(value, value);
    (value.set as Set<unknown>).add(value);
    const back = copy(value);
    expect(back.self).toBe(back);
    expect(back.a).toBe(back.b);
    expect((back.map as Map<unknown, unknown>).get(back)).toBe(back);
    expect((back.set as Set<unknown>).has(back)).toBe(true);
  });

  it("with cycles through objects that have __proto__ as a key", () => {
    const value = JSON.parse('{"__proto__":1}') as Record<string, unknown>;
    value.list = [value];
    const back = copy(value);
    expect((back.list as unknown[])[0]).toBe(back);
  });

  it("more than a handful of objects, with one of them twice at the end", () => {
    const list: object[] = Array.from({ length: 100 }, (_, id) => ({ id }));
    expect(text(encode(list, "v"))[0]).toBe("j");
    list.push(list[0] as object);
    const back = copy(list);
    expect(back[100]).toBe(back[0]);
  });

  it("from other realms, as this realm's", () => {
    const foreign = runInNewContext("({ list: [1], map: new Map([[1, new Date(5)]]), re: /x/g })");
    expect(copy(foreign)).toStrictEqual({ list: [1], map: new Map([[1, new Date(5)]]), re: /x/g });
  });

  it("array subclasses as the arrays they are, getters as the values they give", () => {
    class Rows extends Array<object> {}
    expect(copy(Rows.from([{ id: 1 }]))).toStrictEqual([{ id: 1 }]);
    expect(
      copy({
        get total() {
          return 3;
        },
      }),
    ).toStrictEqual({ total: 3 });
  });

  it("a spoofed tag does not make an object another thing", () => {
    const plain = Object.defineProperty({ a: 1 }, Symbol.toStringTag, { value: "Map" });
    expect(copy(plain)).toStrictEqual({ a: 1 });
  });
});

class Socket {}
class Base extends Map {}

describe("anything else is refused, at its place", () => {
  it("with the path from the root", () => {
    const message = refusal([{ user: { socket: new Socket() } }], "args");
    expect(message).toMatch(
      /^args\[0\]\.user\.socket \| args\[0\]\.user\.socket is an instance of Socket, which/,
    );
    expect(message).toMatch(/WORKFLOW_SERIALIZE/);
  });

  it.each<[string, unknown, RegExp]>([
    ["a function", { f: function charge() {} }, /^value\.f \| .*is a function \(charge\)/],
    ["a symbol", [Symbol("s")], /^value\[0\] \| .*a symbol \(Symbol\(s\)\)/],
    ["a symbol as a key", { a: { [Symbol("k")]: 1 } }, /^value\.a \| .*symbol as a key/],
    ["a promise", { a: Promise.resolve() }, /^value\.a \| .*Await it first/],
    ["a thenable", { a: { [THEN]: () => {} } }, /^value\.a \| .*Promise/],
    ["a proxy", { a: new Proxy({}, {}) }, /^value\.a \| .*Proxy/],
    ["a proxy at the root", new Proxy([], {}), /^value \| .*Proxy/],
    ["a WeakMap", { "a b": new WeakMap() }, /^value\["a b"\] \| .*instance of WeakMap/],
    ["a map's value", new Map([["k", () => 1]]), /^value\.get\("k"\) \|/],
    ["a class of its own", Object.create({ inherited: 1 }), /instance of Object/],
    ["a subclass of Map", new Base(), /instance of Base/],
    ["a shared buffer", new SharedArrayBuffer(1), /instance of SharedArrayBuffer/],
    ["a generator", (function* () {})(), /instance of/],
    [
      "an instance without a prototype",
      Object.create(Object.create(null, { constructor: { value: class Bare {} } })),
      /instance of/,
    ],
  ])("%s", (_, value, expected) => {
    expect(refusal(value)).toMatch(expected);
  });

  it("a getter that throws, and a revoked proxy", () => {
    const hostile = {
      a: {
        get b() {
          throw new Error("no");
        },
      },
    };
    expect(refusal(hostile)).toMatch(/^value\.a\.b \| .*getter threw Error: no/);
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(refusal([proxy])).toMatch(/^value\[0\] \| .*Proxy/);
  });

  it("nesting beyond the stack", () => {
    let deep: unknown = new Date(0);
    for (let i = 0; i < 100_000; i++) deep = [deep];
    expect(refusal(deep)).toMatch(/nested too deeply/);
  });
});

describe("isImmutable", () => {
  it("is true for primitives that can be stored", () => {
    for (const value of [undefined, null, "", 0, Number.NaN, 1n, true]) expect(isImmutable(value)).toBe(true);
    for (const value of [{}, [], () => {}, Symbol("x"), new Date()]) expect(isImmutable(value)).toBe(false);
  });
});

describe("for any value", () => {
  const leaf = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.double(),
    fc.bigInt(),
    fc.boolean(),
    fc.constantFrom(null, undefined, -0),
    fc.date({ noInvalidDate: false }),
    fc.uint8Array(),
    fc.float64Array(),
  );
  const { tree } = fc.letrec((tie) => ({
    tree: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      leaf,
      fc.array(tie("tree")),
      fc.sparseArray(tie("tree")),
      fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("__proto__", "constructor", "@data")), tie("tree")),
      fc.array(fc.tuple(tie("tree"), tie("tree"))).map((entries) => new Map(entries)),
      fc.array(tie("tree")).map((values) => new Set(values)),
    ),
  }));

  it("decode(encode(x)) equals x", () => {
    fc.assert(
      fc.property(tree, (value) => {
        expect(isDeepStrictEqual(copy(value), value)).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it("also for graphs with cycles and repeated references", () => {
    const graph = fc
      .tuple(
        fc.array(fc.dictionary(fc.string(), leaf), { minLength: 2, maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 12 }),
      )
      .map(([nodes, edges]) => {
        edges.forEach((edge, at) => {
          const from = nodes[edge % nodes.length] as Record<string, unknown>;
          from[`edge${at}`] = nodes[at % nodes.length];
        });
        return nodes;
      });
    fc.assert(
      fc.property(graph, (nodes) => {
        const back = copy(nodes);
        expect(isDeepStrictEqual(back, nodes)).toBe(true);
        // Deep equality does not see identity: every edge must lead to the copy of the node it led to.
        nodes.forEach((node, at) => {
          for (const [key, value] of Object.entries(node)) {
            const target = nodes.indexOf(value as never);
            if (target >= 0) expect((back[at] as Record<string, unknown>)[key]).toBe(back[target]);
          }
        });
      }),
    );
  });
});
