import { inspect } from "node:util";
import { step, workflow } from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import {
  configure,
  createWorker,
  type EncryptionOptions,
  getWorld,
  setWorld,
  shutdown,
  worldInUse,
} from "@perdure/core/runtime";
import { memoryWorld } from "@perdure/core/testing";
import type { RecordWrite, World } from "@perdure/core/world";
import { afterEach, describe, expect, it } from "vitest";
import { encrypted } from "../src/encryption/index.ts";
import { encryptionTerms } from "../src/encryption/options.ts";
import { isSealed, SEAL_OVERHEAD } from "../src/encryption/sealed-bytes.ts";

// Keys as programs give them, the form of what is encrypted, and where the option counts.

const KEY = new Uint8Array(32).fill(7);
const SECRET = "s3cret-planted";

describe("keys", () => {
  it.each([
    ["bytes", KEY],
    ["a Buffer", Buffer.from(KEY)],
    ["base64", Buffer.from(KEY).toString("base64")],
    ["base64url", Buffer.from(KEY).toString("base64url")],
    ["hexadecimal", Buffer.from(KEY).toString("hex")],
  ])("are taken as %s", (_, key) => {
    expect(encryptionTerms({ key }).keys.get("default")).toEqual(KEY);
  });

  it.each<[string, unknown, RegExp]>([
    ["nothing", {}, /either key or keys/],
    ["both", { key: KEY, keys: { a: KEY } }, /either key or keys/],
    ["none", { keys: {} }, /no key in it/],
    ["a short one", { key: KEY.subarray(1) }, /encryption.key: must be a key of 32 bytes/],
    ["a password", { keys: { a: SECRET } }, /encryption.keys\["a"\]: must be a key of 32 bytes/],
    ["an id that is too long", { keys: { ["x".repeat(65)]: KEY } }, /1 to 64 bytes/],
    ["numbers without an order", { keys: { 2: KEY, 1: KEY } }, /encryption.current: say which/],
    ["a current one that is missing", { keys: { a: KEY }, current: "b" }, /no key "b"/],
    ["a function without a current one", { keys: () => KEY }, /encryption.current/],
    ["a slip", { keys: { a: KEY }, curent: "a" }, /no option "curent"; the nearest is "current"/],
  ])("are refused in words that show no key: %s", (_, options, message) => {
    const refusal = (): unknown => encryptionTerms(options as EncryptionOptions);
    expect(refusal).toThrow(TypeError);
    expect(refusal).toThrow(message);
    expect(refusal).not.toThrow(SECRET);
  });

  it("the first one is written with, or the one that is named", () => {
    expect(encryptionTerms({ keys: { new: KEY, old: KEY } }).current).toBe("new");
    expect(encryptionTerms({ keys: { 1: KEY, 2: KEY }, current: "2" }).current).toBe("2");
  });
});

describe("what is stored", () => {
  const write = (value: Uint8Array, key = "of somebody"): RecordWrite => {
    return { key, writeId: `w${value.length}`, ifVersion: null, value, ttl: null };
  };
  const stored = async (world: World, plain: World, value: Uint8Array, key?: string) => {
    const [result] = await world.writeRecords([write(value, key)], 0);
    expect(result?.outcome).toBe("written");
    const [record] = await plain.readRecords([key ?? "of somebody"], 0);
    return record?.value ?? new Uint8Array();
  };

  it("is compressed from a size on, if that makes it smaller, and never grows by more than the World is told", async () => {
    const text = Buffer.from("all the same ".repeat(1_000));
    for (const [compressFrom, smaller] of [
      [4096, true],
      [text.length + 1, false],
      [false, false],
    ] as const) {
      const plain = memoryWorld();
      const world = encrypted(plain, { key: KEY, compressFrom });
      const bytes = await stored(world, plain, text);
      expect(bytes.length < text.length / 10).toBe(smaller);
      expect(bytes.length).toBeLessThanOrEqual(text.length + SEAL_OVERHEAD);
      expect((await world.readRecords(["of somebody"], 0))[0]?.value).toEqual(text);
    }
  });

  it("is never the same twice", async () => {
    const [one, two] = [memoryWorld(), memoryWorld()];
    const value = Buffer.from(SECRET);
    const first = await stored(encrypted(one, { key: KEY }), one, value);
    const second = await stored(encrypted(two, { key: KEY }), two, value);
    expect(isSealed(first)).toBe(true);
    expect(first).not.toEqual(second);
  });

  it("shows no key where the World is printed", () => {
    const secret = Buffer.alloc(32, "k");
    const printed = inspect(encrypted(memoryWorld(), { key: secret }), { depth: 20, showHidden: true });
    expect(printed).not.toContain("107, 107");
    expect(printed).not.toContain("6b 6b");
    expect(printed).not.toContain("kkkk");
  });

  it("is as it was given in the engine's own records", async () => {
    const plain = memoryWorld();
    const value = new Uint8Array(Buffer.from("a lock"));
    expect(await stored(encrypted(plain, { key: KEY }), plain, value, "lock:key:a")).toEqual(value);
  });

  it("from before there were keys can be read", async () => {
    const plain = memoryWorld();
    await plain.writeRecords([write(Buffer.from("in the clear"))], 0);
    const [record] = await encrypted(plain, { key: KEY }).readRecords(["of somebody"], 0);
    expect(record?.value).toEqual(new Uint8Array(Buffer.from("in the clear")));
  });
});

describe("in a process", () => {
  afterEach(shutdown);

  const echo = step("encryption//echo", async (text: string) => text);
  const flow = workflow("encryption//flow", async (text: string) => await echo(text));

  async function valuesOf(world: World, runId: string): Promise<(Uint8Array | null)[]> {
    const [row] = await world.getRuns([runId]);
    const events = await world.listEvents(runId, 0, 100);
    return [row?.output ?? null, ...events.map(({ data }) => data)];
  }

  async function isEncrypted(world: World, runId: string): Promise<boolean> {
    const values = (await valuesOf(world, runId)).filter((value) => value !== null);
    return values.length > 3 && values.every(isSealed);
  }

  it("configure() is the one place: client, the worker that comes along, and others of the World", async () => {
    const world = memoryWorld();
    configure({ world, worker: true, encryption: { key: KEY } });
    const run = await start(flow, [SECRET]);
    expect(await run.returnValue).toBe(SECRET);
    expect(await isEncrypted(world, run.runId)).toBe(true);
    expect(worldInUse(world)).toBe(getWorld());
    expect(getWorld().describe()).toMatchObject({ encryptionKey: "default" });

    configure({ world, worker: false, encryption: { key: KEY } });
    const worker = createWorker({ world, signals: [] });
    await worker.start();
    const other = await start(flow, [SECRET], { world });
    expect(await other.returnValue).toBe(SECRET);
    expect(await isEncrypted(world, other.runId)).toBe(true);
    await worker.close();
  });

  it("the keys of the worker that comes along count for the client, too", async () => {
    const world = memoryWorld();
    configure({ world, worker: { encryption: { key: KEY } } });
    const run = await start(flow, [SECRET]);
    expect(await run.returnValue).toBe(SECRET);
    expect(await isEncrypted(world, run.runId)).toBe(true);
  });

  it("those of a worker count for the client of its World", async () => {
    const world = memoryWorld();
    setWorld(memoryWorld());
    const worker = createWorker({ world, signals: [], encryption: { key: KEY } });
    await worker.start();
    const run = await start(flow, [SECRET], { world });
    expect(await run.returnValue).toBe(SECRET);
    expect(await isEncrypted(world, run.runId)).toBe(true);
    await worker.close();
  });

  it("without the option nothing stands in between", async () => {
    const world = memoryWorld();
    configure({ world, worker: true });
    expect(getWorld()).toBe(world);
    const run = await start(flow, ["open"]);
    await run.returnValue;
    expect(await getRun(run.runId).status).toBe("completed");
    expect((await valuesOf(world, run.runId)).some((value) => value !== null && isSealed(value))).toBe(false);
  });
});
