import { createHook, sleep, step, workflow } from "@perdure/core";
import { start } from "@perdure/core/api";
import { FatalError, SerializationError } from "@perdure/core/errors";
import { Client, memoryWorld } from "@perdure/core/testing";
import { expect, it } from "vitest";
import { cluster } from "./cluster.ts";

// A store that takes values of at most 1,000 bytes: what is larger fails where it is made, and never in a commit.

const LARGE = "x".repeat(2_000);

async function smallStore() {
  const { state, clock, process, until, types } = cluster();
  const whole = memoryWorld({ state });
  const world = { ...whole, capabilities: { ...whole.capabilities, largestValue: 1_000 } };
  const { logs } = await process({ world });
  return { client: new Client({ world, clock }), until, types, logs };
}

it("fails a step whose result is too large at once: its body is not executed again", async () => {
  const { client, until, logs } = await smallStore();
  let executed = 0;
  const grow = step("large result", async () => {
    executed++;
    return LARGE;
  });
  const flow = workflow("large result", async () => {
    const error = await grow().catch((error: unknown) => error);
    return FatalError.is(error) ? error.message : "no error";
  });
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe(
    "Failed to serialize step return value: the step has done its work, but its result has 2003 bytes when stored, and this World takes values of at most " +
      "1000. Keep the data elsewhere and pass a reference to it. (perdure/docs/errors/SERIALIZATION_FAILED.md)",
  );
  expect(executed).toBe(1);
  expect(logs.filter(({ level }) => level === "error")).toEqual([]);
});

it("fails a step whose arguments are too large, without calling its body", async () => {
  const { client, until, types } = await smallStore();
  const take = step("large arguments", async (text: string) => text.length);
  const flow = workflow("large arguments", async () => {
    const error = await take(LARGE).catch((error: unknown) => error);
    return [SerializationError.is(error) && error.path, await take("small")];
  });
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toEqual(["args", 5]);
  expect(types(run.runId).filter((type) => type.startsWith("step"))).toEqual([
    "step_created",
    "step_failed",
    "step_created",
    "step_completed",
  ]);
});

it("tells a parent that its child's result is too large for it, whether the child has ended before or not", async () => {
  const { client, until } = await smallStore();
  const child = workflow("nearly too large", async () => {
    await sleep("1 s");
    return LARGE.slice(0, 900);
  });
  const parent = workflow("waits for what is nearly too large", async () => {
    const run = await start(child);
    const [early, late] = [await run.returnValue.catch(String), await run.returnValue.catch(String)];
    return [early === late, early];
  });
  const run = await client.start(parent, []);
  expect(await until(run.returnValue)).toEqual([
    true,
    expect.stringMatching(/^SerializationError: result has 1\d\d\d bytes when stored, and this World takes/),
  ]);
});

it("fails a run whose return value is too large", async () => {
  const { client, until } = await smallStore();
  const flow = workflow("large return value", async () => LARGE);
  const run = await client.start(flow, []);
  await expect(until(run.returnValue)).rejects.toMatchObject({
    cause: { message: expect.stringContaining("return value has 2003 bytes") },
  });
});

it("refuses input and payloads that are too large before anything is stored", async () => {
  const { client, until, types } = await smallStore();
  const flow = workflow("large input", async (text: string) => {
    const hook = createHook<string>({ token: "large payload" });
    return text + (await hook);
  });
  await expect(client.start(flow, [LARGE])).rejects.toThrow("args has 2005 bytes when stored");
  const run = await client.start(flow, ["a"]);
  await until(client.getHookByToken("large payload").catch(() => {}));
  await expect(client.resumeHook("large payload", LARGE)).rejects.toThrow("payload has 2003 bytes");
  await client.resumeHook("large payload", "b");
  expect(await until(run.returnValue)).toBe("ab");
  expect(types(run.runId).filter((type) => type === "hook_received")).toHaveLength(1);
});
