import { runInNewContext } from "node:vm";
import { jsonLogger, resolveLogger } from "@perdure/core/runtime";
import { HintListeners } from "@perdure/core/world";
import { afterEach, describe, expect, it, vi } from "vitest";
import { consoleLogger } from "../src/console-logger.ts";
import { contexts } from "../src/contexts.ts";

afterEach(() => void vi.restoreAllMocks());

function spies() {
  const silent = () => undefined;
  return {
    warn: vi.spyOn(console, "warn").mockImplementation(silent),
    error: vi.spyOn(console, "error").mockImplementation(silent),
  };
}

describe("the console logger", () => {
  it("prints one line with run, workflow, step and what was thrown", () => {
    const { warn, error } = spies();
    const logger = consoleLogger(() => 0);
    const thrown = new Error("first line\n  second line", { cause: new Error("hidden") });
    logger.error("something failed", {
      attempt: 2,
      step: "charge",
      workflow: "w",
      runId: "wrun_1",
      error: thrown,
    });
    logger.debug("nothing");
    logger.info("nothing");
    expect(error.mock.calls).toEqual([
      [
        "perdure: something failed (run wrun_1, workflow w, step charge, attempt 2): Error: first line second line",
      ],
    ]);
    expect(warn).not.toHaveBeenCalled();
  });

  it("prints a kind once per run, five times a minute, and counts the rest", () => {
    const { warn } = spies();
    let now = 0;
    const later: (() => void)[] = [];
    const logger = consoleLogger(
      () => now,
      (_ms, fn) => void later.push(fn),
    );
    for (let round = 0; round < 2; round++) logger.warn("of a run", { runId: "wrun_1" });
    for (let index = 0; index < 9; index++) logger.warn("of the store", { error: new Error(`${index}`) });
    expect(warn).toHaveBeenCalledTimes(6);
    expect(later).toHaveLength(1);
    later[0]?.();
    expect(warn.mock.lastCall).toEqual(["perdure: of the store (4 more within a minute were left out)"]);
    now = 60_000;
    logger.warn("of the store");
    expect(warn.mock.lastCall).toEqual(["perdure: of the store"]);
  });

  it("takes passwords out of URLs", () => {
    const { warn } = spies();
    consoleLogger().warn("failed", { error: new Error("connect postgres://app:s3cret@db/app") });
    expect(warn.mock.lastCall).toEqual(["perdure: failed: Error: connect postgres://app:***@db/app"]);
  });
});

describe("whatever was thrown", () => {
  const gone = (key: string) =>
    Object.defineProperty(new Error("said"), key, {
      get() {
        throw new Error("no");
      },
    });
  const shut = Proxy.revocable(new Error("said"), {});
  shut.revoke();

  it.each<[string, unknown, string, string]>([
    ["an error of another realm", runInNewContext("new TypeError('said')"), "TypeError", "said"],
    ["a proxy of an error", new Proxy(new Error("said"), {}), "Error", "said"],
    [
      "an object without a prototype",
      Object.assign(Object.create(null), { name: "N", message: "said" }),
      "N",
      "said",
    ],
    ["an unreadable message", gone("message"), "Error", "(cannot be read)"],
    ["an unreadable name", gone("name"), "(cannot be read)", "said"],
    ["a name that is a symbol", Object.assign(new Error("said"), { name: Symbol("s") }), "Symbol(s)", "said"],
    ["a revoked proxy", shut.proxy, "(cannot be read)", "(cannot be read)"],
  ])("is one line with what can be read of it: %s", (_, error, name, message) => {
    const { warn } = spies();
    consoleLogger().warn("failed", { error });
    expect(warn.mock.calls).toEqual([[`perdure: failed: ${name}: ${message}`]]);
    const written: string[] = [];
    jsonLogger((line) => void written.push(line)).warn("failed", { error });
    expect(JSON.parse(written[0] ?? "").error).toMatchObject({ name, message });
  });

  it("is not longer than a line may be, and shows no property of a driver", () => {
    const written: string[] = [];
    const long = Object.assign(new Error("x".repeat(1_000_000)), {
      toJSON: () => ({ args: "s3cret" }),
      args: "s3cret",
    });
    jsonLogger((line) => void written.push(line)).warn("failed", {
      error: long,
      many: Array(300_000).fill(1),
    });
    expect(written[0]?.length).toBeLessThan(400_000);
    expect(written[0]).not.toContain("s3cret");
    expect(() => JSON.parse(written[0] ?? "")).not.toThrow();
  });

  it("ends no process where the console itself fails, now or a minute later", () => {
    const { warn } = spies();
    warn.mockImplementation(() => {
      throw new Error("closed");
    });
    const later: (() => void)[] = [];
    const logger = consoleLogger(
      () => 0,
      (_ms, fn) => void later.push(fn),
    );
    for (let index = 0; index < 9; index++) logger.warn("of the store");
    expect(later).toHaveLength(1);
    expect(later[0]).not.toThrow();
  });
});

describe("jsonLogger", () => {
  const lines = (fields: Record<string, unknown>) => {
    const written: string[] = [];
    jsonLogger((line) => void written.push(line)).error("failed", fields);
    expect(written).toHaveLength(1);
    expect(written[0]?.endsWith("}\n")).toBe(true);
    return JSON.parse(written[0] ?? "");
  };

  it("shows an error's name, message, code, stack and causes, and none of its other properties", () => {
    const cause = Object.assign(new Error("reset"), { code: "ECONNRESET", command: { args: ["s3cret"] } });
    const error = new TypeError("failed", { cause });
    expect(lines({ runId: "wrun_1", error })).toEqual({
      time: expect.stringMatching(/^\d{4}-/),
      level: "error",
      message: "failed",
      runId: "wrun_1",
      error: {
        name: "TypeError",
        message: "failed",
        stack: expect.stringContaining("logging.test"),
        cause: {
          name: "Error",
          message: "reset",
          code: "ECONNRESET",
          stack: expect.stringContaining("reset"),
        },
      },
    });
  });

  it("writes a line whatever the fields are", () => {
    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const ownCause = new Error("own cause");
    ownCause.cause = ownCause;
    const hostile = {
      get boom(): never {
        throw new Error("no");
      },
      toJSON: () => {
        throw new Error("no");
      },
      [Symbol.for("nodejs.util.inspect.custom")]: () => {
        throw new Error("no");
      },
    };
    const axiosLike = Object.assign(new Error("x"), { toJSON: () => ({ headers: "s3cret" }) });
    const line = lines({
      circular,
      big: 1n,
      ownCause,
      hostile,
      axiosLike,
      nothing: undefined,
      fn: () => 1,
      level: "mine",
    });
    expect(line).toMatchObject({ big: "1", hostile: "(a value that cannot be shown)", level: "error" });
    expect(line.circular).toContain("Circular");
    expect(JSON.stringify(line)).not.toContain("s3cret");
  });
});

describe("a logger of the user's", () => {
  it("never throws into its caller, and a rejected promise of its own is nobody's", async () => {
    const rejections: unknown[] = [];
    const onRejection = (reason: unknown) => void rejections.push(reason);
    process.on("unhandledRejection", onRejection);
    const logger = resolveLogger({
      warn() {
        throw new Error("broken");
      },
      error: async () => {
        throw new Error("broken");
      },
    });
    logger.warn("a");
    logger.error("b");
    logger.info("c");
    await new Promise((resolve) => setImmediate(resolve));
    process.off("unhandledRejection", onRejection);
    expect(rejections).toEqual([]);
  });

  it("runs outside of the workflow that is logged about", () => {
    const seen: unknown[] = [];
    const logger = resolveLogger({ warn: () => void seen.push(contexts.getStore()), error() {} });
    contexts.run({ kind: "step" } as never, () => logger.warn("a"));
    expect(seen).toEqual([undefined]);
  });

  it("may be one of pino, whose arguments come in the other order", () => {
    const pino = { bindings: () => ({}), debug: vi.fn(), info: vi.fn(), warn: vi.fn(), error: vi.fn() };
    const error = new Error("x");
    resolveLogger(pino).warn("a", { runId: "wrun_1", error });
    expect(pino.warn.mock.calls).toEqual([[{ runId: "wrun_1", err: error }, "a"]]);
  });

  it("is refused where it is no logger", () => {
    expect(() => resolveLogger("loud" as never)).toThrow(/logger: must be "pretty"/);
    expect(() => resolveLogger({ log() {} } as never)).toThrow(TypeError);
  });
});

describe("listeners of hints", () => {
  it("fail alone, at once or later", async () => {
    const { error } = spies();
    const listeners = new HintListeners();
    const heard: string[] = [];
    listeners.add(() => {
      throw new Error("broken at once");
    });
    listeners.add((async () => {
      throw new Error("broken later");
    }) as () => void);
    listeners.add(({ type }) => void heard.push(type));
    listeners.tell({ type: "due" });
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toEqual(["due"]);
    expect(error.mock.calls.flat()).toEqual([
      expect.stringMatching(/listener of World\.subscribe\(\) failed.*broken at once/),
      expect.stringMatching(/listener of World\.subscribe\(\) failed.*broken later/),
    ]);
  });
});
