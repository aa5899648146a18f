import { AsyncLocalStorage } from "node:async_hooks";
import * as crypto from "node:crypto";
import { createRequire } from "node:module";
import { performance as hooked } from "node:perf_hooks";
import * as system from "node:process";
import * as timers from "node:timers";
import * as timerPromises from "node:timers/promises";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SLOTS } from "../src/determinism/globals.ts";
import { type GuardedContext, installGuard, seededRandom } from "../src/determinism/index.ts";
import { NonDeterminismError } from "../src/errors/index.ts";

// What other modules import by name from Node's, and what hides behind a property: `crypto` here is the namespace of the
// module, whose members are what `import { randomUUID } from "node:crypto"` binds.

const TIME = Date.parse("2001-02-03T04:05:06.789Z");
const storage = new AsyncLocalStorage<GuardedContext>();
class EarlyDay extends Date {}
const cjs = createRequire(import.meta.url)("crypto") as typeof crypto & {
  pseudoRandomBytes(n: number): Buffer;
};

function inWorkflow<T>(body: () => T, seed = "wrun_1"): T {
  const context = {
    now: () => TIME,
    random: seededRandom(seed),
    sleep: async () => {},
    endAs: () => {},
    describe: "workflow charge, run wrun_1",
  };
  return storage.run(context, body);
}

function everySlot(): (PropertyDescriptor | undefined)[] {
  return SLOTS.map(({ holder, key }) => Object.getOwnPropertyDescriptor(holder() ?? {}, key));
}

const originals = everySlot();
const bound = { ...crypto };
let restore = (): void => {};

beforeEach(() => {
  restore = installGuard(() => storage.getStore());
});

afterEach(() => {
  restore();
  everySlot().forEach((now, at) => {
    const before = originals[at];
    expect(now?.value).toBe(before?.value);
    expect(now?.get).toBe(before?.get);
    expect(now).toEqual(before);
  });
  expect(crypto.randomUUID).toBe(bound.randomUUID);
});

function filled(buffer: ArrayBuffer): string {
  crypto.randomFillSync(buffer as never);
  return Buffer.from(buffer).toString("hex");
}

const callback = <T>(call: (done: (error: Error | null, value: T) => void) => void): Promise<T> =>
  new Promise((resolve, reject) => call((error, value) => (error ? reject(error) : resolve(value))));

describe("randomness of node:crypto repeats in a workflow", () => {
  it.each<[string, () => unknown]>([
    ["randomUUID", () => crypto.randomUUID()],
    ["randomUUIDv7", () => (crypto as { randomUUIDv7?(): string }).randomUUIDv7?.() ?? "none"],
    ["randomBytes", () => crypto.randomBytes(20).toString("hex")],
    ["randomBytes, called back", () => callback<Buffer>((done) => crypto.randomBytes(300, done))],
    ["randomBytes, promised", () => promisify(crypto.randomBytes)(8)],
    ["randomInt", () => [crypto.randomInt(1_000_000), crypto.randomInt(5, 2 ** 40)]],
    ["randomInt, called back", () => callback<number>((done) => crypto.randomInt(5, 2 ** 40, done))],
    ["getRandomValues", () => crypto.getRandomValues(new Uint32Array(4)).join()],
    ["webcrypto", () => crypto.webcrypto.getRandomValues(new Uint8Array(16)).join()],
    ["webcrypto.randomUUID", () => crypto.webcrypto.randomUUID()],
    ["randomFillSync", () => crypto.randomFillSync(new Uint16Array(8), 2, 4).join()],
    ["randomFillSync of an ArrayBuffer", () => filled(new ArrayBuffer(8))],
    ["randomFill", () => callback<Uint8Array>((done) => crypto.randomFill(new Uint8Array(8), 1, done))],
    ["require", () => cjs.randomBytes(16).toString("hex")],
    ["pseudoRandomBytes", () => cjs.pseudoRandomBytes(16).toString("hex")],
  ])("%s", async (name, draw) => {
    const first = await inWorkflow(draw);
    expect(await inWorkflow(draw)).toEqual(first);
    if (first === "none") return;
    expect(await inWorkflow(draw, "wrun_2")).not.toEqual(first);
    expect(await draw(), name).not.toEqual(first);
  });

  it("within the bounds that were given", () => {
    inWorkflow(() => {
      for (let round = 0; round < 200; round++) {
        expect([3, 4, 5]).toContain(crypto.randomInt(3, 6));
        expect([0, 1]).toContain(crypto.randomInt(2));
      }
      expect([...crypto.randomFillSync(new Uint16Array(4), 1, 2)].map((n) => n > 0)).toEqual([
        false,
        true,
        true,
        false,
      ]);
      expect(() => crypto.randomInt(6, 3)).toThrow(RangeError);
      expect(() => crypto.randomBytes(-1)).toThrow(RangeError);
    });
  });

  it("but a stock of bytes, which others would get as well, is refused", () => {
    const stock = new Uint8Array(256);
    for (const fill of [crypto.randomFillSync, (view: Uint8Array) => crypto.getRandomValues(view)]) {
      expect(() => inWorkflow(() => fill(stock))).toThrow(NonDeterminismError);
      expect(fill(stock)).toBe(stock);
    }
  });
});

it("every clock shows the workflow's time", () => {
  const format = new Intl.DateTimeFormat("en", { dateStyle: "full", timeStyle: "long", timeZone: "UTC" });
  inWorkflow(() => {
    expect(format.format()).toBe(format.format(TIME));
    expect(format.format).toBe(format.format);
    expect([undefined].map(format.format)).toEqual([format.format(TIME)]);
    expect(format.formatToParts()).toEqual(format.formatToParts(TIME));
    expect(format.format(5)).toMatch(/1970/);
    expect(system.hrtime()).toEqual([Math.floor(TIME / 1000), 789_000_000]);
    expect(process.hrtime([Math.floor(TIME / 1000) - 2, 999_000_000])).toEqual([1, 790_000_000]);
    expect(process.hrtime.bigint()).toBe(BigInt(TIME) * 1_000_000n);
    expect(process.uptime()).toBe(TIME / 1000);
    expect(hooked.timeOrigin + hooked.now()).toBe(TIME);
    expect(performance.timeOrigin + performance.now()).toBe(TIME);
    expect(hooked.mark("guarded").startTime).toBe(TIME);
    expect(hooked.measure("guarded", "guarded").duration).toBe(0);
    expect(EarlyDay.now()).toBe(TIME);
  });
  expect(format.format()).not.toBe(format.format(TIME));
  expect(performance.timeOrigin).toBeGreaterThan(TIME);
  expect(hooked.mark("free").startTime).toBeLessThan(1e9);
  expect(hooked.measure("free", "free").duration).toBeLessThan(1e6);
  expect(process.hrtime(process.hrtime())[0]).toBeLessThan(60);
  hooked.clearMarks();
  hooked.clearMeasures();
});

describe("what waits, and what makes keys, is refused in a workflow", () => {
  it.each<[string, () => unknown]>([
    ["setTimeout of node:timers", () => timers.setTimeout(() => {}, 1)],
    ["setInterval of node:timers", () => timers.setInterval(() => {}, 1)],
    ["setImmediate of node:timers", () => timers.setImmediate(() => {})],
    ["setTimeout of node:timers/promises", () => timerPromises.setTimeout(1)],
    ["setImmediate of node:timers/promises", () => timerPromises.setImmediate()],
    ["setInterval of node:timers/promises", () => timerPromises.setInterval(1)],
    ["scheduler.wait", () => timerPromises.scheduler.wait(1)],
    ["scheduler.yield", () => timerPromises.scheduler.yield()],
    ["promisify(setTimeout)", () => promisify(setTimeout)(1)],
    ["generateKeySync", () => crypto.generateKeySync("aes", { length: 128 })],
    ["generateKeyPair", () => promisify(crypto.generateKeyPair)("ed25519")],
    ["generatePrimeSync", () => crypto.generatePrimeSync(16)],
    ["ECDH", () => crypto.createECDH("secp256k1").generateKeys()],
    [
      "subtle.generateKey",
      () => crypto.subtle.generateKey({ name: "AES-GCM", length: 128 }, true, ["encrypt"]),
    ],
  ])("%s", async (_, call) => {
    const outcome = async (): Promise<unknown> => await call();
    await expect(inWorkflow(outcome)).rejects.toThrow(NonDeterminismError);
    const made = await outcome();
    if (made !== undefined && typeof made === "object") clearTimeout(made as NodeJS.Timeout);
    if (typeof made === "object" && made?.constructor.name === "Immediate")
      clearImmediate(made as NodeJS.Immediate);
  });
});
