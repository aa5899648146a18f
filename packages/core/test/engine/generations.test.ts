import {
  continueAsNew,
  createHook,
  getStepMetadata,
  getWorkflowMetadata,
  setAttributes,
  setState,
  sleep,
  step,
  workflow,
} from "@perdure/core";
import { start } from "@perdure/core/api";
import { decode } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster, LEASE } from "./cluster.ts";

// What a run shows of itself, and runs that continue as new.

it("shows its state without being woken, and its attributes to whoever looks for it", async () => {
  const { process, client, clock, settle, until, row, world } = cluster();
  const note = step("note", async () => {
    await setAttributes({ stage: "noted", gone: undefined });
    return getWorkflowMetadata().attributes;
  });
  const flow = workflow("shows", async () => {
    setState({ done: 0 });
    await setAttributes({ gone: "soon" });
    const seen = await note();
    setState({ done: 1 });
    await sleep("1h");
    return [seen, getWorkflowMetadata().attributes];
  });
  const first = await process();
  const run = await client.start(flow, [], { attributes: { customer: "cus_1" } });
  await settle();
  expect(decode(row(run.runId).state)).toEqual({ version: 2, value: { done: 1 } });
  const found = await world.listRuns({ attributes: { customer: "cus_1", stage: "noted" }, limit: 10 });
  expect(found.runs.map(({ runId }) => runId)).toEqual([run.runId]);
  first.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  expect(await until(run.returnValue)).toEqual([
    { customer: "cus_1", gone: "soon" },
    { customer: "cus_1", stage: "noted" },
  ]);
  expect(row(run.runId).attributes).toEqual({ customer: "cus_1", stage: "noted" });
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("lets others wait for its next state", async () => {
  const { process, client, clock, settle, until } = cluster();
  const flow = workflow("shows one after the other", async () => {
    await sleep("10m");
    for (let n = 1; n <= 3; n++) {
      setState({ n });
      await sleep("10m");
    }
  });
  await process();
  const run = await client.start(flow, []);
  await settle();
  expect(await run.getState()).toBeNull();
  const soon = run.getState({ after: 0, timeout: "1s" });
  await expect(until(soon)).rejects.toThrow(/not ended|1000 ms|in time|1 s/);
  const seen: unknown[] = [];
  for (let version = 0; ; ) {
    const state = await until(run.getState({ after: version }));
    if (state === null || state.version === version) break;
    version = state.version;
    seen.push(state.value);
  }
  expect(seen).toEqual([{ n: 1 }, { n: 2 }, { n: 3 }]);
  expect(await run.status).toBe("completed");
  await expect(client.getRun("wrun_none").getState()).rejects.toThrow(/wrun_none/);
  expect(clock.now()).toBeGreaterThan(0);
});

it("refuses attributes that are none", async () => {
  const { client, process, until } = cluster();
  const flow = workflow("refused", async () => {
    const errors: unknown[] = [];
    for (const bad of [
      { $own: "x" },
      { a: 1 },
      { ["x".repeat(257)]: "" },
      { a: "x".repeat(257) },
      { a: "é".repeat(129) },
      null,
      "a",
    ]) {
      await setAttributes(bad as never).catch((error: Error) =>
        errors.push(`${error.name}: ${error.message}`),
      );
    }
    const many = Object.fromEntries(Array.from({ length: 65 }, (_, index) => [`a${index}`, ""]));
    await setAttributes(many).catch((error: Error) => errors.push(error.message));
    return errors;
  });
  await expect(client.start(flow, [], { attributes: { $parent: "x" } })).rejects.toThrow(/kept for perdure/);
  await process();
  const errors = await until((await client.start<string[]>(flow, [])).returnValue);
  expect(errors).toEqual([
    expect.stringMatching(/^FatalError: .*"\$own" begins with "\$", a reserved prefix/),
    expect.stringContaining("must be a text, got number"),
    expect.stringContaining("key length 257 exceeds limit 256"),
    expect.stringContaining("byte length 257 exceeds limit 256"),
    expect.stringContaining("byte length 258 exceeds limit 256"),
    expect.stringContaining("requires a plain object of texts, got null"),
    expect.stringContaining("requires a plain object of texts, got string"),
    expect.stringContaining("a run has at most 64 attributes, and 65 exceed limit 64"),
  ]);
});

it("continues as new: ids, keys, hooks, payloads, state and attributes go on, the journal does not", async () => {
  const { process, client, clock, settle, until, state, row, types } = cluster();
  const ids: string[] = [];
  const charge = step("charge", async () => void ids.push(getStepMetadata().stepId));
  const flow = workflow("continues", async (n: number, got: string[]): Promise<unknown> => {
    const hook = createHook<string>({ token: "stays" });
    await charge();
    got.push(await hook);
    setState(n);
    if (n < 5) return await continueAsNew([n + 1, got]);
    return [got, Math.random(), getWorkflowMetadata().attributes];
  });
  const worker = await process();
  const options = { idempotencyKey: "key", attributes: { a: "b" } };
  const run = await client.start<[string[], number, object]>(flow, [0, []], options);
  await settle();
  for (const payload of ["a", "b", "c"]) await client.resumeHook("stays", payload);
  await settle();
  expect(row(run.runId)).toMatchObject({ generation: 3, status: "running", attributes: { a: "b" } });
  const info = await client.getHookByToken("stays");
  expect(info.runId).toBe(run.runId);
  worker.kill();
  await clock.advance(LEASE + 1);
  const second = await process();
  for (const payload of ["d", "e", "f"]) await client.resumeHook("stays", payload);
  const [got, , attributes] = await until(run.returnValue);
  expect(got).toEqual(["a", "b", "c", "d", "e", "f"]);
  expect(attributes).toEqual({ a: "b" });
  expect(new Set(ids).size).toBe(ids.length);
  expect(ids.length).toBeGreaterThanOrEqual(6);
  expect(row(run.runId)).toMatchObject({ generation: 5, status: "completed" });
  expect(decode(row(run.runId).state)).toEqual({ version: 6, value: 5 });
  expect(row(run.runId).startedAt).toBe(row(run.runId).createdAt);
  expect(types(run.runId)[0]).toBe("run_created");
  expect(types(run.runId)).toContain("attributes_given");
  expect(types(run.runId)).toContain("hook_adopted");
  expect((await client.start(flow, [0, []], options)).runId).toBe(run.runId);
  expect(state.runs.size).toBe(1);
  expect(second.logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("gives payloads that came for a hook before it was asked for again", async () => {
  const { process, client, settle, until, clock } = cluster();
  const flow = workflow("asks late", async (n: number): Promise<unknown> => {
    if (n === 0) {
      createHook({ token: "late" });
      await sleep(1);
      return await continueAsNew([1]);
    }
    await sleep("1m");
    const hook = createHook<string>({ token: "late" });
    return [await hook, await hook, await hook.getConflict()];
  });
  await process();
  const run = await client.start(flow, [0]);
  await settle();
  await client.resumeHook("late", "one");
  await clock.advance(1);
  await settle();
  await client.resumeHook("late", "two");
  expect(await until(run.returnValue)).toEqual(["one", "two", null]);
});

it("cancels children of earlier generations with the run", async () => {
  const { process, client, settle, state } = cluster();
  const child = workflow("goes on", async () => await createHook());
  const parent = workflow("starts and continues", async (n: number): Promise<unknown> => {
    if (n === 0) {
      await start(child, []);
      return await continueAsNew([1]);
    }
    return await createHook();
  });
  await process();
  const run = await client.start(parent, [0]);
  await settle();
  await run.cancel();
  await settle();
  expect([...state.runs.values()].map(({ row }) => row.status)).toEqual(["cancelled", "cancelled"]);
});

it("warns of a long journal, and parks a run before it is too long, with nothing lost", async () => {
  const { process, client, clock, settle, until, row } = cluster();
  const one = step("one of many", async (n: number) => n);
  const flow = workflow("goes on and on", async () => {
    let sum = 0;
    for (let n = 1; n <= 30; n++) sum += await one(n);
    return sum;
  });
  const first = await process({ journalWarning: 10, journalLimit: 40 });
  const run = await client.start(flow, []);
  await settle();
  expect(row(run.runId).status).toBe("diverged");
  const texts = first.logs.map(({ message, fields }) => `${message} ${fields.error ?? ""}`);
  expect(texts.filter((text) => text.includes("journal of a run is long"))).toHaveLength(1);
  expect(texts.some((text) => /at most 40.*continueAsNew/.test(text))).toBe(true);
  await until(first.worker.close());
  await process();
  await clock.advance(60_000);
  expect(await until(run.returnValue)).toBe(465);
});

it("cancels the children, and sends on the payloads, of the generations before when one ends before it begins", async () => {
  const { process, client, settle, state, until, when, row, types } = cluster();
  const child = workflow("waits for ever", async () => await createHook());
  const flow = workflow("starts a child and goes on", async (n: number): Promise<unknown> => {
    createHook<string>({ token: "kept" });
    await start(child, []);
    await sleep(10);
    return await continueAsNew([n + 1]);
  });
  const next = workflow("takes it", async () => await createHook<string>({ token: "kept" }));
  const first = await process();
  const run = await client.start(flow, [0]);
  await settle();
  await client.resumeHook("kept", "payload", { orStart: [next] });
  await settle();
  const begunAnew = () => row(run.runId).generation > 0;
  // Nobody begins the next generation before the cancel is there.
  first.fault((operation) =>
    operation === "claim" && begunAnew() ? new Promise<never>(() => {}) : undefined,
  );
  await when(begunAnew);
  await run.cancel();
  await process();
  expect(await until(run.returnValue.catch(String))).toContain("cancelled");
  expect(types(run.runId)).not.toContain("run_started");
  const statuses = () => [...state.runs.values()].map(({ row: { status } }) => status);
  await when(() => statuses().length === 3 && !statuses().includes("running"));
  expect(statuses()).toEqual(["cancelled", "cancelled", "completed"]);
  expect(decode([...state.runs.values()].at(-1)?.row.output ?? null)).toBe("payload");
});
