import { AsyncLocalStorage } from "node:async_hooks";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type GuardedContext, installGuard, refreshGuard, seededRandom } from "../src/determinism/index.ts";
import { NonDeterminismError } from "../src/errors/index.ts";

const TIME = Date.parse("2001-02-03T04:05:06.789Z");
const GLOBALS = [
  "Date",
  "setTimeout",
  "setInterval",
  "setImmediate",
  "fetch",
  "crypto",
  "performance",
] as const;

const storage = new AsyncLocalStorage<GuardedContext>();
const lookup = (): GuardedContext | undefined => storage.getStore();

function inWorkflow<T>(body: () => T, seed = "wrun_1"): T {
  const context = {
    now: () => TIME,
    random: seededRandom(seed),
    sleep: async () => {},
    endAs: () => {},
    describe: 'workflow "charge" (run wrun_1)',
  };
  return storage.run(context, body);
}

/** Everything the guard touches, as identities. */
function snapshot(): unknown[] {
  return [
    ...GLOBALS.map((name) => Object.getOwnPropertyDescriptor(globalThis, name)),
    ...GLOBALS.map((name) => globalThis[name]),
    Object.getOwnPropertyDescriptor(Date.prototype, "constructor"),
    Object.getOwnPropertyDescriptor(Math, "random"),
    Object.getOwnPropertyDescriptor(performance, "now"),
    ...["randomUUID", "getRandomValues"].map((key) => Object.getOwnPropertyDescriptor(crypto, key)),
    crypto.randomUUID,
    crypto.getRandomValues,
    performance.now,
    EventTarget.prototype.addEventListener,
    EventTarget.prototype.removeEventListener,
  ];
}

const originals = snapshot();
const RealDate = Date;
const realRandom = Math.random;
let restore = (): void => {};

beforeEach(() => {
  restore = installGuard(lookup);
});

afterEach(() => {
  vi.useRealTimers();
  restore();
  // Identity, not equality: what is put back must be what was there.
  snapshot().forEach((value, at) => {
    const original = originals[at];
    if (typeof value === "object" && value !== null && "value" in value) {
      expect((value as PropertyDescriptor).value).toBe((original as PropertyDescriptor).value);
      expect(value).toEqual(original);
    } else {
      expect(value).toStrictEqual(original);
    }
  });
});

describe("inside a workflow", () => {
  it("time is the workflow's", () => {
    inWorkflow(() => {
      expect(Date.now()).toBe(TIME);
      expect(new Date()).toEqual(new Date(TIME));
      expect(Date()).toBe(new Date(TIME).toString());
      expect(performance.now()).toBe(TIME);
      expect(new (class extends Date {})().getTime()).toBe(TIME);
    });
  });

  it("randomness repeats for the same context", () => {
    const draw = (): unknown[] => [
      Math.random(),
      crypto.randomUUID(),
      [...crypto.getRandomValues(new Uint8Array(9))],
      Math.random(),
    ];
    const first = inWorkflow(draw);
    expect(inWorkflow(draw)).toEqual(first);
    expect(inWorkflow(draw, "wrun_2")).not.toEqual(first);
    expect(first[1]).toMatch(/-4[0-9a-f]{3}-[89ab]/);
  });

  it("getRandomValues returns its argument and refuses what it refuses anywhere", () => {
    inWorkflow(() => {
      const view = new Uint32Array(2);
      expect(crypto.getRandomValues(view)).toBe(view);
      expect(() => crypto.getRandomValues(new Float32Array(1) as never)).toThrow(/type/i);
    });
  });

  it.each<[string, () => unknown, RegExp]>([
    ["setTimeout", () => setTimeout(() => {}, 1), /setTimeout\(\) .*await sleep\("5m"\)/],
    ["setInterval", () => setInterval(() => {}, 1), /setInterval\(\) .*sleep/],
    ["setImmediate", () => setImmediate(() => {}), /setImmediate\(\)/],
    ["fetch", () => fetch("http://127.0.0.1:9/"), /fetch\(\) .*from "perdure"/],
  ])("%s is refused, with the durable way", (_, call, message) => {
    inWorkflow(() => {
      expect(call).toThrow(NonDeterminismError);
      expect(call).toThrow(message);
      expect(call).toThrow('workflow "charge" (run wrun_1)');
    });
  });

  it("holds across awaits", async () => {
    await inWorkflow(async () => {
      await Promise.resolve();
      expect(Date.now()).toBe(TIME);
    });
  });
});

describe("outside workflows", () => {
  it("everything works as it does", async () => {
    expect(Math.abs(Date.now() - TIME)).toBeGreaterThan(1e11);
    expect(Math.abs(Date.parse(new Date().toISOString()) - TIME)).toBeGreaterThan(1e11);
    expect(Date()).toMatch(/^\w{3} \w{3} \d\d \d{4}/);
    expect(crypto.randomUUID()).not.toBe(crypto.randomUUID());
    expect(crypto.getRandomValues(new Uint8Array(8)).some((byte) => byte > 0)).toBe(true);
    expect(performance.now()).toBeLessThan(1e9);
    expect(Math.random()).not.toBe(Math.random());
    await new Promise((resolve) => setImmediate(resolve));
    await new Promise<void>((resolve) => {
      const timer = setInterval(() => resolve(clearInterval(timer)), 1);
    });
    expect(await new Promise((resolve) => setTimeout(resolve, 0, "passed on"))).toBe("passed on");
    const { promisify } = await import("node:util");
    expect(await promisify(setTimeout)(0, "promised")).toBe("promised");
  });
});

describe("Date stays Date", () => {
  it("with arguments, statics, names", () => {
    for (const run of [inWorkflow, <T>(body: () => T): T => body()]) {
      run(() => {
        expect(new Date(5).getTime()).toBe(5);
        expect(new Date(2001, 1, 3).getMonth()).toBe(1);
        expect(new Date("2001-02-03").toISOString()).toBe("2001-02-03T00:00:00.000Z");
        expect(Number.isNaN(new Date(undefined as never).getTime())).toBe(true);
        expect(Date.UTC(1970)).toBe(0);
        expect(Date.parse("1970-01-01")).toBe(0);
        expect(Date.name).toBe("Date");
        expect(Date.length).toBe(7);
      });
    }
  });

  it("for instanceof and constructor, whoever made the date", () => {
    expect(new RealDate()).toBeInstanceOf(Date);
    expect(new Date()).toBeInstanceOf(RealDate);
    expect(new Date().constructor).toBe(Date);
    expect(structuredClone(new Date(5))).toBeInstanceOf(Date);
  });

  it("for subclasses", () => {
    class Day extends Date {
      iso(): string {
        return this.toISOString().slice(0, 10);
      }
    }
    const day = inWorkflow(() => new Day());
    expect(day).toBeInstanceOf(Day);
    expect(day).toBeInstanceOf(Date);
    expect(day.iso()).toBe("2001-02-03");
    expect(new Date()).not.toBeInstanceOf(Day);
    expect(inWorkflow(() => Day.now())).toBe(TIME);
  });
});

describe("installing", () => {
  it("counts: the last restore puts the originals back, and each counts once", () => {
    const again = installGuard(lookup);
    again();
    again();
    expect(inWorkflow(() => Date.now())).toBe(TIME);
    restore();
    expect(inWorkflow(() => Date.now())).not.toBe(TIME);
    expect(Date).toBe(RealDate);
  });

  it("asks every look-up until one knows the caller", () => {
    const other = new AsyncLocalStorage<GuardedContext>();
    const restoreOther = installGuard(() => other.getStore());
    const context = {
      now: () => 7,
      random: () => 0.5,
      sleep: async () => {},
      endAs: () => {},
      describe: "another",
    };
    expect(other.run(context, () => Date.now())).toBe(7);
    expect(inWorkflow(() => Date.now())).toBe(TIME);
    restoreOther();
    expect(other.run(context, () => Date.now())).not.toBe(7);
  });

  it("leaves what somebody else replaced to them, and is inert below it", () => {
    const ours = Math.random;
    const theirs = (): number => ours();
    Math.random = theirs;
    restore();
    expect(Math.random).toBe(theirs);
    expect(inWorkflow(() => Math.random())).not.toBe(seededRandom("wrun_1")());
    restore = installGuard(lookup);
    expect(inWorkflow(() => Math.random())).toBe(seededRandom("wrun_1")());
    restore();
    expect(Math.random).toBe(theirs);
    Math.random = realRandom;
  });

  it("refreshing puts the guard on top again, but leaves a test's mock of fetch alone", () => {
    const mock = vi.spyOn(globalThis, "fetch").mockResolvedValue(new Response("mocked"));
    const random = vi.spyOn(Math, "random").mockReturnValue(0.25);
    refreshGuard();
    expect(globalThis.fetch).toBe(mock);
    expect(Math.random()).toBe(0.25);
    expect(inWorkflow(() => Math.random())).toBe(seededRandom("wrun_1")());
    mock.mockRestore();
    random.mockRestore();
    refreshGuard();
    expect(inWorkflow(() => Math.random())).toBe(seededRandom("wrun_1")());
  });

  it("refreshing does nothing while nothing is installed", () => {
    restore();
    refreshGuard();
    expect(Date).toBe(RealDate);
  });
});

describe("with fake timers", () => {
  const FAKE = new Date("1999-01-01T00:00:00Z");

  function both(): void {
    expect(Date.now()).toBe(FAKE.getTime());
    expect(new Date()).toEqual(FAKE);
    expect(new Date()).toBeInstanceOf(Date);
    expect(new RealDate(0)).toBeInstanceOf(Date);
    expect(inWorkflow(() => Date.now())).toBe(TIME);
    expect(inWorkflow(() => new Date())).toEqual(new Date(TIME));
    expect(inWorkflow(() => performance.now())).toBe(TIME);
    expect(() => inWorkflow(() => setTimeout(() => {}, 1))).toThrow(NonDeterminismError);
    let fired = false;
    setTimeout(() => {
      fired = true;
    }, 1000);
    vi.advanceTimersByTime(1000);
    expect(fired).toBe(true);
    expect(new Date()).toBeInstanceOf(Date);
  }

  it("installed before the guard", () => {
    restore();
    vi.useFakeTimers({ now: FAKE });
    restore = installGuard(lookup);
    both();
    restore();
    expect(Date.now()).toBe(FAKE.getTime() + 1000);
  });

  it("installed after the guard, over and over", () => {
    for (let round = 0; round < 3; round++) {
      vi.useFakeTimers({ now: FAKE });
      refreshGuard();
      both();
      vi.useRealTimers();
      refreshGuard();
      expect(inWorkflow(() => Date.now())).toBe(TIME);
      expect(Date.now()).toBeGreaterThan(FAKE.getTime() + 1e11);
    }
  });

  it("put away after the guard", () => {
    vi.useFakeTimers({ now: FAKE });
    refreshGuard();
    restore();
    expect(Date.now()).toBe(FAKE.getTime());
    vi.useRealTimers();
    expect(inWorkflow(() => Date.now())).not.toBe(TIME);
    // What the fake timers put back is ours from before them, which passes through; undo that for the next test.
    for (const [at, name] of GLOBALS.entries()) {
      Object.defineProperty(globalThis, name, originals[at] as PropertyDescriptor);
    }
  });
});
