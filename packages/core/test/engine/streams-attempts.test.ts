import { createHook, getStepMetadata, getWritable, step, workflow } from "@perdure/core";
import { WorldError } from "@perdure/core/errors";
import { expect, test } from "vitest";
import { cluster, gate } from "./cluster.ts";
import { all, writes } from "./streams.ts";

// Streams and attempts: what one writes that fails, is repeated, or whose answer was lost.

test("an attempt that failed is not shown to those who come later, and marked for those who were there", async () => {
  const { client, process, until, settle } = cluster();
  const fails = gate();
  const write = step(
    "write",
    async () => {
      const { attempt } = getStepMetadata();
      const writer = getWritable<string>().getWriter();
      await writer.write("a");
      await writer.write(`b of ${attempt}`);
      if (attempt > 1) return;
      await fails.promise;
      throw new Error("fails");
    },
    { backoff: { initial: "1s" } },
  );
  const [before, after] = [writes("before"), writes("after")];
  const flow = workflow("flow", async () => {
    await before("x");
    await write();
    await after("y");
  });
  await process();
  const run = await until(client.start(flow, []));
  const live = (async () => {
    const got: unknown[] = [];
    for await (const { index, data, attempt } of run.chunks()) got.push([index, data, attempt]);
    return got;
  })();
  await settle();
  fails.open();
  await until(run.returnValue);
  expect(await until(all(run.readable))).toEqual(["x", "a", "b of 2", "y"]);
  expect(await until(all(run.getReadable({ attempts: "all" })))).toEqual([
    "x",
    "a",
    "b of 1",
    "a",
    "b of 2",
    "y",
  ]);
  expect(await until(live)).toEqual([
    [0, "x", 1],
    [1, "a", 1],
    [2, "b of 1", 1],
    [3, "a", 2],
    [4, "b of 2", 2],
    [5, "y", 1],
  ]);
  const page = await until(run.readable.getChunks({ limit: 4 }));
  expect(page).toMatchObject({
    data: [{ index: 0 }, { index: 3, data: "a", attempt: 2 }],
    cursor: "4",
    hasMore: true,
    done: true,
  });
  expect(await until(run.readable.getChunks({ cursor: page.cursor }))).toMatchObject({
    data: [{ index: 4 }, { index: 5, data: "y" }],
    cursor: null,
    hasMore: false,
    done: true,
  });
});

test("what was written is stored before the step has completed, also if nobody awaited it", async () => {
  const { client, process, until, state } = cluster();
  const write = step("write", async () => {
    const writer = getWritable<number>().getWriter();
    for (let n = 0; n < 1000; n++) void writer.write(n);
    writer.releaseLock();
  });
  const flow = workflow("flow", async () => {
    await write();
  });
  const worker = await process();
  let appends = 0;
  worker.fault((operation) => {
    if (operation === "appendChunks") appends++;
  });
  const run = await until(client.start(flow, []));
  await until(run.returnValue);
  expect(state.runs.get(run.runId)?.streams.get("output")?.chunks).toHaveLength(1000);
  expect(appends).toBeLessThan(20);
});

test("an append whose answer was lost puts nothing in twice", async () => {
  const { client, process, until } = cluster();
  const write = writes("write");
  const flow = workflow("flow", async () => await write(1, 2, 3));
  const worker = await process();
  let calls = 0;
  worker.fault((operation) => {
    // Called before the verb and before its answer: the first answer is lost.
    if (operation === "appendChunks" && ++calls === 2) throw new Error("lost");
  });
  const run = await until(client.start(flow, []));
  await until(run.returnValue);
  expect(calls).toBeGreaterThan(2);
  expect(await until(all(run.readable))).toEqual([1, 2, 3]);
});

test("the next attempt after a crash takes the place of what the dead worker wrote", async () => {
  const { client, process, until, when, state } = cluster();
  const stuck = gate();
  let bodies = 0;
  const write = step("write", async () => {
    const writer = getWritable<string>().getWriter();
    await writer.write(`attempt ${++bodies}`);
    if (bodies === 1) await stuck.promise;
  });
  const flow = workflow("flow", async () => await write());
  const first = await process();
  const run = await until(client.start(flow, []));
  await when(() => (state.runs.get(run.runId)?.streams.get("output")?.chunks.length ?? 0) === 1);
  first.kill();
  await process();
  await until(run.returnValue);
  expect(await until(all(run.readable))).toEqual(["attempt 2"]);
  stuck.open();
});

test("a stream that a step closes ends with the step, and a failed attempt closes nothing", async () => {
  const { client, process, until, settle } = cluster();
  const write = step("write", async () => {
    const writer = getWritable<string>().getWriter();
    const { attempt } = getStepMetadata();
    await writer.write("both");
    if (attempt === 2) await writer.write("second");
    await writer.close();
    if (attempt === 1) throw new Error("fails");
  });
  const flow = workflow("flow", async () => {
    await write();
    await createHook();
  });
  await process();
  const run = await until(client.start(flow, []));
  // There while the first attempt writes: the second one writes the same, and more.
  const live = all(run.readable);
  await settle();
  expect(await until(live)).toEqual(["both", "second"]);
  expect(await until(all(run.readable))).toEqual(["both", "second"]);
  expect(await until(run.status)).toBe("running");
});

test("a live reader gets what attempts write alike once, and what they write otherwise", async () => {
  const { client, process, until } = cluster();
  const write = step("write", async () => {
    const { attempt } = getStepMetadata();
    const writer = getWritable<string>().getWriter();
    const texts =
      [["a", "b", "c"], ["a"], ["a", "b", "c", "d", "x"], ["a", "b", "c", "d", "y"]][attempt - 1] ?? [];
    for (const text of texts) await writer.write(text);
    if (attempt < 4) throw new Error("fails");
  });
  const flow = workflow("flow", async () => await write());
  await process();
  const run = await until(client.start(flow, []));
  const live = all(run.readable);
  await until(run.returnValue);
  expect(await until(live)).toEqual(["a", "b", "c", "d", "x", "y"]);
  expect(await until(all(run.readable))).toEqual(["a", "b", "c", "d", "y"]);
});

test("a body is not called again because the store did not answer for a while when it had written, closed and aborted", async () => {
  const { process, client, until, clock } = cluster();
  let bodies = 0;
  const writes = step("writes in an outage", async (controller: AbortController) => {
    bodies++;
    const { fault } = worker;
    fault((operation) => {
      if (/^(appendChunks|closeStream|deliver)/.test(operation)) throw new WorldError("The store is away.");
    });
    clock.setTimer(clock.now() + 10_000, () => fault(null));
    const writer = getWritable<string>().getWriter();
    void writer.write("told");
    void writer.close();
    controller.abort("enough");
  });
  const flow = workflow("writes in an outage", async () => {
    const controller = new AbortController();
    await writes(controller);
    return controller.signal.reason;
  });
  const worker = await process();
  const run = await client.start(flow, []);
  expect(await until(run.returnValue)).toBe("enough");
  expect(bodies).toBe(1);
  expect(await all(run.getReadable<string>())).toEqual(["told"]);
});

test("a failed attempt that fills pages is not shown to those who come later", async () => {
  const { client, process, until } = cluster();
  const write = step("write", async () => {
    const { attempt } = getStepMetadata();
    const writer = getWritable<string>().getWriter();
    for (let n = 0; n < 600; n++) await writer.write(`${attempt}.${n}`);
    if (attempt < 3) throw new Error("fails");
  });
  const flow = workflow("flow", async () => await write());
  await process();
  const run = await until(client.start(flow, []));
  await until(run.returnValue);
  expect(await until(all(run.readable))).toEqual(Array.from({ length: 600 }, (_, n) => `3.${n}`));
});
