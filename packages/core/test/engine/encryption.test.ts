import {
  acquireLock,
  continueAsNew,
  createHook,
  FatalError,
  getStepMetadata,
  getWorkflowMetadata,
  getWritable,
  once,
  setAttributes,
  setState,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { EncryptedValue, start } from "@perdure/core/api";
import { EncryptionError, IdempotencyMismatchError } from "@perdure/core/errors";
import type { EncryptionOptions } from "@perdure/core/runtime";
import { Client, type MemoryState, memoryWorld } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { encrypted } from "../../src/encryption/index.ts";
import { keyIdOf } from "../../src/encryption/sealed-bytes.ts";
import { cluster, gate } from "./cluster.ts";

// Encryption of what the store keeps: what is in it, and what becomes of runs whose keys are not here.

const SECRET = "s3cret-planted";

const keyOf = (byte: number) => new Uint8Array(32).fill(byte);
const A: EncryptionOptions = { keys: { a: keyOf(1) } };
const B: EncryptionOptions = { keys: { b: keyOf(2) } };

/** All that the store has, as a text in which bytes are what they say. */
function dump(state: MemoryState): string {
  const text = (value: unknown): unknown => {
    if (ArrayBuffer.isView(value)) {
      return Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString("latin1");
    }
    if (value instanceof Map) return [...value].map(([key, one]) => [text(key), text(one)]);
    if (value instanceof Set || Array.isArray(value)) return [...value].map(text);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, text(one)]));
  };
  return JSON.stringify(text(state));
}

const say = step("say", async (text: string) => `${text}!`);
const fail = step("fail", async (text: string) => {
  throw new FatalError(text);
});
const write = step("write", async (text: string) => {
  const writer = getWritable<string>().getWriter();
  await writer.write(text);
  await writer.close();
});

it("keeps names, attributes and times readable in the store, and nothing of what the program passes", async () => {
  const { process, client, until, settle, state, row } = cluster({ encryption: A });
  const child = workflow("child", async (text: string) => `${text} of the child`);
  const flow = workflow("plain//name", async (text: string): Promise<unknown> => {
    await setAttributes({ tenant: "acme" });
    setState({ text });
    const failure = await fail(text).catch((error: unknown) => (error as Error).message);
    await write(text);
    await using lock = await acquireLock("plain key");
    const hook = createHook<string>({ token: "plain token", metadata: { text } });
    const got = await hook;
    const shared = await once("plain once", say, text);
    const other = await (await start(child, [text])).returnValue;
    return [failure, got, shared, other, await say(text), lock.key];
  });
  await process({ encryption: A });
  const run = await client.start(flow, [SECRET], { idempotencyKey: "plain start" });
  await settle();
  await client.resumeHook("plain token", `${SECRET} in a payload`);
  expect(await until(run.returnValue)).toEqual([
    SECRET,
    `${SECRET} in a payload`,
    `${SECRET}!`,
    `${SECRET} of the child`,
    `${SECRET}!`,
    "plain key",
  ]);
  await settle();
  const stored = dump(state);
  expect(stored).not.toContain(SECRET);
  expect(stored).toContain("plain//name");
  expect(row(run.runId).attributes).toMatchObject({ tenant: "acme" });
  const chunks: unknown[] = [];
  for await (const chunk of client.getRun(run.runId).readable as AsyncIterable<unknown>) chunks.push(chunk);
  expect(chunks).toEqual([SECRET]);
});

it.each([true, false])("the run knows of it, encrypted: %s", async (on) => {
  const options = on ? { encryption: A } : {};
  const { process, client, until } = cluster(options);
  const look = step(`looks ${on}`, async () => getWorkflowMetadata().features);
  const flow = workflow(`knows ${on}`, async () => [getWorkflowMetadata().features, await look()]);
  await process(options);
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual([{ encryption: on }, { encryption: on }]);
});

it("what a run knows of it is as its journal has it, whatever keys its workers have later", async () => {
  const { process, client, until, settle, state } = cluster();
  const flow = workflow("knows from the journal", async () => {
    const before = getWorkflowMetadata().features.encryption;
    await sleep("1m");
    return [before, getWorkflowMetadata().features.encryption];
  });
  const first = await process();
  const run = await client.start(flow, []);
  await settle();
  await until(first.worker.close());
  await process({ encryption: A, alwaysReplay: true });
  // The client has no key for what the second worker writes; the run must not be parked for what it was told.
  await expect(until(run.returnValue)).rejects.toMatchObject({ code: "ENCRYPTION_FAILED" });
  const reader = new Client({ world: encrypted(memoryWorld({ state: state }), A) });
  expect(await until(reader.getRun(run.runId).returnValue)).toEqual([false, false]);
});

it("values that are not encrypted are refused where the options say so", async () => {
  const strict: EncryptionOptions = { ...A, plainValues: "refuse" };
  const { process, client, clock, until, when, settle, state, row } = cluster({ encryption: strict });
  const flow = workflow("waits for a payload", async (token: string) => {
    const hook = createHook<string>({ token });
    return (await hook.getConflict())?.runId ?? [await hook];
  });
  const plain = new Client({ world: memoryWorld({ state }), clock });
  const worker = await process({ encryption: strict });
  // All that a program with the key does is read, the conflict that the World writes, too.
  const first = await client.start(flow, ["one"]);
  await settle();
  const second = await client.start(flow, ["one"]);
  expect(await until(second.returnValue)).toBe(first.runId);
  await client.resumeHook("one", "hello");
  expect(await until(first.returnValue)).toEqual(["hello"]);
  // What comes from elsewhere is left to whoever takes it.
  const strange = await plain.start(flow, ["two"]);
  await clock.advance(120_000);
  expect(row(strange.runId)).toMatchObject({ status: "pending", lostClaims: 0, error: null });
  const said = worker.logs.filter(({ level }) => level === "error");
  expect(said).toMatchObject([
    {
      message: expect.stringContaining("not encrypted"),
      fields: { error: { obstacle: "not_encrypted", keyId: "" } },
    },
  ]);
  const seen: string[] = [];
  for await (const { value } of client.getRun(strange.runId).events()) seen.push(String(value));
  expect(seen).toEqual(["<not encrypted>"]);
  await process({ encryption: A });
  await when(() => row(strange.runId).status === "running");
});

it("goes on in another worker from the journal alone, over generations", async () => {
  const { process, client, clock, until, settle, state } = cluster({ encryption: A });
  const flow = workflow("goes on", async (n: number, texts: string[]): Promise<unknown> => {
    texts.push(await say(`${SECRET} ${n}`));
    await sleep("1m");
    return n === 2 ? texts : await continueAsNew([n + 1, texts]);
  });
  const first = await process({ encryption: A });
  const run = await client.start(flow, [0, []]);
  await settle();
  first.kill();
  const second = await process({ encryption: A });
  await clock.advance(60_000);
  await settle();
  second.kill();
  await process({ encryption: A });
  expect(await until(run.returnValue)).toEqual([`${SECRET} 0!`, `${SECRET} 1!`, `${SECRET} 2!`]);
  expect(dump(state)).not.toContain(SECRET);
});

it("writes with the first key, and reads what was written with others", async () => {
  const { process, client, clock, until, settle, journal, state } = cluster({ encryption: A });
  const flow = workflow("rotated", async (text: string) => {
    const before = await say(text);
    await sleep("1m");
    return [before, await say(text)];
  });
  const old = await process({ encryption: A });
  const run = await client.start(flow, [SECRET]);
  await settle();
  await until(old.worker.close());
  await process({ encryption: { keys: { ...B.keys, ...A.keys } as Record<string, Uint8Array> } });
  await clock.advance(60_000);
  const reader = new Client({
    world: encrypted(memoryWorld({ state }), { keys: { ...A.keys, ...B.keys } as never }),
    clock,
  });
  expect(await until(reader.getRun(run.runId).returnValue)).toEqual([`${SECRET}!`, `${SECRET}!`]);
  const ids = journal(run.runId).flatMap(({ data }) => (data === null ? [] : [keyIdOf(data)]));
  expect(ids[0]).toBe("a");
  expect(ids.at(-1)).toBe("b");
  // A client that has only the old key.
  await expect(until(run.returnValue)).rejects.toMatchObject({ code: "ENCRYPTION_FAILED", keyId: "b" });
});

it.each([
  ["none", undefined, "no_key"],
  ["another one", B, "no_key"],
  ["another one under its id", { keys: { a: keyOf(9) } }, "does_not_fit"],
] as const)(
  "a worker with the wrong key (%s) leaves the run as it is, says so once, and another one executes it",
  async (_, wrong, obstacle) => {
    const { process, client, clock, until, row, types } = cluster({ encryption: A });
    const flow = workflow("left", async (text: string) => await say(text));
    const keyless = await process(wrong === undefined ? {} : { encryption: wrong });
    const runs = [await client.start(flow, ["one"]), await client.start(flow, ["two"])];
    await clock.advance(120_000);
    for (const { runId } of runs) {
      expect(types(runId)).toEqual(["run_created"]);
      expect(row(runId)).toMatchObject({ status: "pending", owner: null, lostClaims: 0, error: null });
      expect(row(runId).epoch).toBeLessThan(12);
    }
    const said = keyless.logs.filter(({ level }) => level === "error");
    expect(said).toMatchObject([{ fields: { keyId: "a", error: { code: "ENCRYPTION_FAILED", obstacle } } }]);
    await process({ encryption: A });
    expect(await until(Promise.all(runs.map(({ returnValue }) => returnValue)))).toEqual(["one!", "two!"]);
  },
);

it("leaves a run whose owner was lost so that the next one knows of it", async () => {
  const { process, client, clock, until, settle, row, types } = cluster({ encryption: A });
  const hang = gate();
  let calls = 0;
  const slow = step("slow", async () => {
    calls++;
    if (calls === 1) await hang.promise;
    return getStepMetadata().attempt;
  });
  const flow = workflow("left after a crash", async () => await slow());
  const first = await process({ encryption: A });
  const run = await client.start(flow, []);
  await settle();
  first.kill();
  await process({ encryption: B });
  await clock.advance(400_000);
  expect(row(run.runId).lostClaims).toBeLessThanOrEqual(1);
  expect(row(run.runId).status).toBe("running");
  await process({ encryption: A });
  expect(await until(run.returnValue)).toBe(2);
  expect(types(run.runId)).toContain("step_retrying");
});

it("leaves a run with messages without being given it again at once", async () => {
  const { process, client, clock, until, settle, row } = cluster({ encryption: A });
  const flow = workflow("left with mail", async () => {
    const hook = createHook<string>({ token: "left" });
    return await hook;
  });
  const first = await process({ encryption: A });
  const run = await client.start(flow, []);
  await settle();
  await until(first.worker.close());
  const { epoch } = row(run.runId);
  const keyless = await process({ encryption: B });
  await client.resumeHook("left", SECRET);
  await clock.advance(60_000);
  expect(row(run.runId).epoch - epoch).toBeLessThan(20);
  await until(keyless.worker.close());
  expect(row(run.runId)).toMatchObject({ status: "running", owner: null });
  await process({ encryption: A });
  expect(await until(run.returnValue)).toBe(SECRET);
});

it("gives a run away that it holds when a message comes which it cannot read", async () => {
  const { process, client, clock, until, settle, state, row } = cluster({ encryption: A });
  const hang = gate();
  const slow = step("slow", () => hang.promise);
  const flow = workflow("given away", async () => {
    const hook = createHook<string>({ token: "foreign" });
    await slow();
    return await hook;
  });
  const first = await process({ encryption: A });
  const run = await client.start(flow, []);
  await settle();
  const other = new Client({ world: encrypted(memoryWorld({ state }), B), clock });
  await other.resumeHook("foreign", SECRET);
  await settle();
  hang.open();
  await clock.advance(5_000);
  expect(row(run.runId).status).toBe("running");
  expect(first.logs.filter(({ level }) => level === "error")).toMatchObject([{ fields: { keyId: "b" } }]);
  await process({ encryption: { current: "a", keys: { ...A.keys, ...B.keys } as never } });
  expect(await until(run.returnValue)).toBe(SECRET);
});

it("does what an ended run owes only where it can be read", async () => {
  const { process, client, clock, until, settle, state, row } = cluster({ encryption: A });
  const waits = workflow("waits", async () => {
    const hook = createHook<string>({ token: "of the child" });
    return await hook;
  });
  const parent = workflow("parent", async () => await (await start(waits, [])).returnValue);
  const first = await process({ encryption: A });
  const run = await client.start(parent, []);
  await settle();
  first.fault((operation) => {
    if (operation === "deliver") throw new Error("the store is away");
  });
  await client.resumeHook("of the child", SECRET);
  await settle();
  first.kill();
  const keyless = await process({ encryption: B });
  await clock.advance(120_000);
  expect(row(run.runId).status).toBe("running");
  expect(keyless.logs.filter(({ level }) => level === "error")).toHaveLength(1);
  await process({ encryption: A });
  expect(await until(run.returnValue)).toBe(SECRET);
  expect(dump(state)).not.toContain(SECRET);
});

it("a changed byte, and a value of another run, do not open", async () => {
  const { process, client, clock, until, settle, journal, state, row } = cluster({ encryption: A });
  const flow = workflow("tampered", async (text: string) => await say(text));
  const worker = await process({ encryption: A });
  const [one, two] = [await client.start(flow, ["one"]), await client.start(flow, ["two"])];
  await until(Promise.all([one.returnValue, two.returnValue]));
  await settle();
  await until(worker.worker.close());
  const stored = (runId: string) => state.runs.get(runId);
  const [a, b] = [stored(one.runId), stored(two.runId)];
  if (a === undefined || b === undefined) throw new Error("no runs");
  const output = a.row.output as Uint8Array;
  a.row = { ...a.row, output: b.row.output };
  const changed = Uint8Array.from(output);
  changed[output.length - 20] = (changed[output.length - 20] ?? 0) ^ 1;
  b.row = { ...b.row, output: changed };
  const reader = new Client({ world: encrypted(memoryWorld({ state }), A), clock });
  for (const { runId } of [one, two]) {
    await expect(until(reader.getRun(runId).returnValue)).rejects.toMatchObject({
      code: "ENCRYPTION_FAILED",
      keyId: "a",
      obstacle: "does_not_fit",
    });
  }
  expect(row(one.runId).status).toBe("completed");
  // Two results of one run in each other's place.
  const events = journal(one.runId) as unknown as { data: Uint8Array | null }[];
  const [created, completed] = [events[0], events.at(-1)];
  if (created === undefined || completed === undefined) throw new Error("no events");
  [created.data, completed.data] = [completed.data, created.data];
  const read: unknown[] = [];
  for await (const event of reader.getRun(one.runId).events()) read.push(event.error);
  expect(read[0]).toBeInstanceOf(EncryptionError);
  expect(read.at(-1)).toBeInstanceOf(EncryptionError);
});

it("retries and forks are encrypted anew, and nobody makes one without the key", async () => {
  const { process, client, clock, until, settle, state } = cluster({ encryption: A });
  let broken = true;
  const charge = step("charge", async (text: string) => {
    if (broken) throw new FatalError(`${text} declined`);
    return text;
  });
  const flow = workflow("retried", async (text: string) => [await say(text), await charge(text)]);
  await process({ encryption: A });
  const run = await client.start(flow, [SECRET]);
  await expect(until(run.returnValue)).rejects.toThrow(/declined/);
  await settle();
  const without = new Client({ world: memoryWorld({ state }), clock });
  await expect(until(without.getRun(run.runId).retry())).rejects.toMatchObject({ code: "ENCRYPTION_FAILED" });
  broken = false;
  const again = await until(client.getRun(run.runId).retry());
  expect(await until(again.returnValue)).toEqual([`${SECRET}!`, SECRET]);
  expect(dump(state)).not.toContain(SECRET);
});

it("a repeated start finds its run, though no two encryptions are equal", async () => {
  const { process, client, clock, until, state } = cluster({ encryption: A });
  const flow = workflow("keyed", async (text: string) => text);
  await process({ encryption: A });
  const options = { idempotencyKey: "order-1" };
  const run = await client.start(flow, [SECRET], options);
  expect((await client.start(flow, [SECRET], options)).runId).toBe(run.runId);
  await expect(client.start(flow, ["other"], options)).rejects.toBeInstanceOf(IdempotencyMismatchError);
  expect(await until(run.returnValue)).toBe(SECRET);
  const without = new Client({ world: memoryWorld({ state }), clock });
  await expect(without.start(flow, [SECRET], options)).rejects.toMatchObject({
    code: "ENCRYPTION_FAILED",
    keyId: "a",
  });
});

it("asks a function once for each key, and waits out its failures", async () => {
  const { process, client, clock, until, settle, row } = cluster({ encryption: A });
  const asked: string[] = [];
  let away = true;
  const keys = async (id: string) => {
    asked.push(id);
    if (away) throw new Error("the key service is away");
    return id === "a" ? keyOf(1) : null;
  };
  const flow = workflow("asked", async (text: string) => await say(text));
  await process({ encryption: { keys, current: "a" } });
  const run = await client.start(flow, [SECRET]);
  await clock.advance(10_000);
  expect(row(run.runId).status).toBe("pending");
  away = false;
  expect(await until(run.returnValue)).toBe(`${SECRET}!`);
  const before = asked.length;
  expect(await until((await client.start(flow, ["more"])).returnValue)).toBe("more!");
  await settle();
  expect(asked).toHaveLength(before);
});

it("shows a reader without the key what is in the clear, and where values are", async () => {
  const { process, client, clock, until, settle, state } = cluster({ encryption: A });
  const flow = workflow("read", async (text: string) => {
    const hook = createHook<string>({ token: "shown", metadata: { text } });
    await say(text);
    return await hook;
  });
  await process({ encryption: A });
  const run = await client.start(flow, [SECRET]);
  await settle();
  const without = new Client({ world: memoryWorld({ state }), clock });
  expect((await without.getHookByToken("shown")).metadata).toEqual(new EncryptedValue("a"));
  await client.resumeHook("shown", SECRET);
  await until(run.returnValue);
  const read = without.getRun(run.runId);
  expect(await read.status).toBe("completed");
  const events = [];
  for await (const event of read.events()) events.push(event);
  expect(events.find(({ type }) => type === "step_created")).toMatchObject({
    name: "say",
    value: new EncryptedValue("a"),
    error: { code: "ENCRYPTION_FAILED", keyId: "a" },
  });
  expect(String(events[0]?.value)).toBe('<encrypted with the key "a">');
  expect(JSON.stringify(events)).not.toContain(SECRET);
  await expect(until(read.returnValue)).rejects.toThrow(
    'encrypted with the key "a", which this process does not have',
  );
});
