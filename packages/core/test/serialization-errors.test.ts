import { isDeepStrictEqual } from "node:util";
import { isNativeError } from "node:util/types";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FatalError, RetryableError, WorkflowError, WorkflowRunFailedError } from "../src/errors/index.ts";
import {
  decode,
  decodeError,
  encode,
  encodeError,
  MAX_ERROR_BYTES,
  registerClass,
} from "../src/serialization/index.ts";

const cross = <T>(error: T): T => decodeError(encodeError(error)) as T;

describe("errors come back", () => {
  it.each([
    new Error("a"),
    new Error(),
    new TypeError("b", { cause: new RangeError("c", { cause: "text" }) }),
    new Error("d", { cause: undefined }),
    new AggregateError([new SyntaxError("e"), 1, undefined], "f"),
    Object.assign(new Error("g"), { code: "ECONNRESET", errno: -104, at: new Date(0), tags: new Set(["x"]) }),
    Object.assign(new Error("h"), { name: "CardDeclined" }),
    new FatalError("i", { cause: new Error("j") }),
    new RetryableError("k", { retryAfter: "5m" }),
    new WorkflowRunFailedError("wrun_1", new FatalError("l"), "charge"),
    new DOMException("gone", "AbortError"),
  ])("%s", (error) => {
    for (const back of [cross(error), (decode(encode([error], "v")) as Error[])[0] as Error]) {
      expect(Object.getPrototypeOf(back)).toBe(Object.getPrototypeOf(error));
      expect(back).toMatchObject({ name: error.name, message: error.message, stack: error.stack });
      expect(Object.hasOwn(back, "cause")).toBe(Object.hasOwn(error, "cause"));
      expect(String(back)).toBe(String(error));
      if (!(error instanceof DOMException)) {
        expect(isNativeError(back)).toBe(true);
        expect(isDeepStrictEqual(back, error)).toBe(true);
      }
    }
  });

  it("as their class, which is() and instanceof know", () => {
    const back = cross(new FatalError("declined", { cause: new RetryableError("busy") }));
    expect(back).toBeInstanceOf(FatalError);
    expect(back.cause).toBeInstanceOf(RetryableError);
    expect((back.cause as RetryableError).retryAfter).toBeInstanceOf(Date);
    expect(WorkflowError.is(back)).toBe(true);
  });

  it("as a registered class of the user's, whose constructor is not called", () => {
    class CardDeclined extends FatalError {
      readonly reason: string;
      constructor(reason: string) {
        if (reason === undefined) throw new Error("called without its argument");
        super(`declined: ${reason}`);
        this.reason = reason;
      }
    }
    const unregistered = cross(new CardDeclined("no funds"));
    expect(unregistered).toBeInstanceOf(FatalError);
    expect(unregistered).not.toBeInstanceOf(CardDeclined);
    registerClass("payments/CardDeclined", CardDeclined);
    const back = cross(new CardDeclined("no funds"));
    expect(back).toBeInstanceOf(CardDeclined);
    expect(back.reason).toBe("no funds");
  });

  it("of a class that this process does not know as the nearest known one, with their name", () => {
    const stored = Buffer.from(
      'd[["Error",1],{"name":2,"message":3,"kinds":4},"CardDeclined","no funds",[5,6,7],"class:elsewhere","FATAL","Error"]',
    );
    const back = decodeError(stored) as Error;
    expect(back).toBeInstanceOf(FatalError);
    expect(back.name).toBe("CardDeclined");
  });

  it("with causes that lead back to themselves", () => {
    const error = new Error("a", { cause: new Error("b") });
    (error.cause as Error).cause = error;
    Object.assign(error, { self: error, list: [error.cause] });
    const back = cross(error) as Error & { self: Error; list: Error[] };
    expect(back.message).toBe("a");
    expect((back.cause as Error).message).toBe("b");
    expect((back.cause as Error).cause).toBe(back);
    expect(back.self).toBe(back);
    expect(back.list[0]).toBe(back.cause);
  });

  it("without the properties that cannot be stored", () => {
    const error = Object.assign(new Error("a"), {
      socket: () => {},
      response: { socket: Symbol("s") },
      status: 502,
    });
    Object.defineProperty(error, "hostile", {
      enumerable: true,
      get: () => {
        throw new Error("no");
      },
    });
    const back = cross(error);
    expect(Object.keys(back)).toEqual(["status"]);
  });

  it("with own __proto__ properties that stay properties", () => {
    const error = new Error("a");
    Object.defineProperty(error, "__proto__", { value: { polluted: true }, enumerable: true });
    const back = cross(error);
    expect(Object.getPrototypeOf(back)).toBe(Error.prototype);
    expect(Object.getOwnPropertyDescriptor(back, "__proto__")?.value).toEqual({ polluted: true });
  });
});

describe("thrown values that are no errors come back", () => {
  it.each([undefined, null, "out of stock", 42, { code: 1, at: new Date(0) }, [1]])("%j", (value) => {
    expect(cross(value)).toEqual(value);
  });

  it("as an error that describes them if they cannot be stored", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(cross<unknown>(() => {})).toMatchObject({
      message: expect.stringMatching(/thrown is a function/),
    });
    expect(cross<unknown>({ a: { socket: Symbol("s") }, message: "bad" })).toMatchObject({
      message: expect.stringMatching(/with the message "bad": thrown\.a\.socket is a symbol/),
    });
    expect(cross<unknown>(proxy)).toMatchObject({ message: expect.stringMatching(/Proxy/) });
    expect(cross<unknown>(new Proxy(new Error("inner"), {}))).toMatchObject({
      message: expect.stringMatching(/with the message "inner"/),
    });
    expect(cross<unknown>({ big: "x".repeat(100_000) })).toMatchObject({
      message: expect.stringMatching(/more than 65536 bytes/),
    });
  });
});

describe("errors are bounded", () => {
  it("in message and stack, in bytes and with a visible mark", () => {
    const error = new Error("é".repeat(10_000));
    error.stack = `Error\n${"    at f (file.ts:1:1)\n".repeat(10_000)}`;
    const back = cross(error);
    expect(back.message).toMatch(/^é+… \[cut: 20000 bytes in all\]$/);
    expect(Buffer.byteLength(back.message)).toBeLessThanOrEqual(8192);
    expect(Buffer.byteLength(back.message)).toBeGreaterThan(8100);
    expect(Buffer.byteLength(back.stack ?? "")).toBeLessThanOrEqual(16_384);
    expect(back.stack).toMatch(/\[cut: \d+ bytes in all\]$/);
  });

  it("in the depth of causes", () => {
    let error = new Error("0");
    for (let i = 1; i <= 20; i++) error = new Error(String(i), { cause: error });
    let link: unknown = cross(error);
    let depth = 0;
    while (link instanceof Error) {
      link = link.cause;
      depth++;
    }
    expect(depth).toBe(9);
    expect(link).toMatch(/^\[cut: causes more than 8 deep\]$/);
  });

  it("in single properties, and in the errors of an AggregateError", () => {
    const back = cross(
      Object.assign(new Error("a"), { body: "x".repeat(50_000), rows: new Array(20_000).fill(1) }),
    );
    expect((back as { body?: string }).body).toMatch(/^x+… \[cut/);
    expect((back as { rows?: unknown }).rows).toMatch(/^\[cut: \d+ characters\]$/);
    const many = cross(new AggregateError(Array.from({ length: 100 }, (_, i) => `e${i}`)));
    expect(many.errors).toHaveLength(33);
    expect(many.errors[32]).toBe("[cut: 100 errors in all]");
  });

  it("in all, whatever they are made of", () => {
    const nasty = "\u0000\ud800é🎉".repeat(5000);
    const text = fc.constantFrom("", "short", nasty, "x".repeat(30_000));
    const error: fc.Memo<Error> = fc.memo((depth) => {
      const causes: fc.Arbitrary<Error[]> = depth > 1 ? fc.array(error(), { maxLength: 3 }) : fc.constant([]);
      return fc
        .record({ message: text, stack: text, name: text, keys: fc.array(text, { maxLength: 5 }), causes })
        .map(({ message, stack, name, keys, causes }) => {
          const made =
            causes.length > 1
              ? new AggregateError(causes, message)
              : new Error(message, { cause: causes[0] });
          const extra = keys.map((key, i) => [`${key}${i}`, { text: key, causes }]);
          return Object.assign(made, { stack, name }, Object.fromEntries(extra));
        });
    });
    fc.assert(
      fc.property(error(4), (value) => {
        const bytes = encodeError(value);
        expect(bytes.length).toBeLessThanOrEqual(MAX_ERROR_BYTES);
        expect(decodeError(bytes)).toBeInstanceOf(Error);
      }),
      { numRuns: 60 },
    );
  });
});

describe("encodeError never throws", () => {
  const fail = (): never => {
    throw new Error("hostile");
  };

  it("for errors whose every property throws", () => {
    const error = new Error("a");
    for (const key of ["name", "message", "stack", "cause", "extra"]) {
      Object.defineProperty(error, key, { get: fail, enumerable: true });
    }
    expect(cross(error)).toBeInstanceOf(Error);
  });

  it("for errors with a hostile prototype or odd values", () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    const orphan = new Error("a");
    Object.setPrototypeOf(orphan, proxy);
    const odd: Error = Object.assign(new Error("b"), {
      name: { toString: fail },
      message: 42n,
      stack: null,
    }) as never;
    const nulled = Object.setPrototypeOf(new Error("c"), null);
    for (const error of [orphan, odd, nulled]) expect(cross<unknown>(error)).toBeInstanceOf(Error);
    expect(cross(odd).message).toBe("42");
  });

  it("for any value", () => {
    fc.assert(
      fc.property(
        fc.anything({
          withBigInt: true,
          withDate: true,
          withMap: true,
          withSet: true,
          withNullPrototype: true,
          withTypedArray: true,
          withSparseArray: true,
        }),
        (value) => {
          expect(encodeError(value)).toBeInstanceOf(Uint8Array);
        },
      ),
    );
  });
});
