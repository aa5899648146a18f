import {
  continueAsNew,
  createHook,
  FatalError,
  getStepMetadata,
  getWritable,
  step,
  workflow,
} from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import { WorldError } from "@perdure/core/errors";
import { expect, test } from "vitest";
import { cluster, gate } from "./cluster.ts";

// Streams of runs: what steps write is read from outside, live and later, once each.

/** Everything that a stream gives. */
async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const chunk of stream) got.push(chunk);
  return got;
}

/** A step that writes chunks to a stream of its run. */
function writes(id: string, namespace?: string) {
  return step(id, async (...chunks: unknown[]) => {
    const writer = getWritable({ ...(namespace !== undefined && { namespace }) }).getWriter();
    for (const chunk of chunks) await writer.write(chunk);
    writer.releaseLock();
  });
}

test("what steps write is read by those who come late, with its types, and ends with the run", async () => {
  const { client, process, until } = cluster();
  const [write, log] = [writes("write"), writes("log", "log")];
  const flow = workflow("flow", async () => {
    await write("text", { n: 1n }, undefined, new Map([["k", new Date(5)]]));
    await log(new Uint8Array([1, 2, 3]), Buffer.from("b"), new Uint8Array());
    return "done";
  });
  await process();
  const run = await until(client.start(flow, []));
  expect(await until(run.returnValue)).toBe("done");
  expect(await until(all(run.readable))).toEqual([
    "text",
    { n: 1n },
    undefined,
    new Map([["k", new Date(5)]]),
  ]);
  const bytes = await until(all(run.getReadable({ namespace: "log" })));
  expect(bytes).toEqual([new Uint8Array([1, 2, 3]), Buffer.from("b"), new Uint8Array()]);
  expect(bytes.map((chunk) => Buffer.isBuffer(chunk))).toEqual([false, true, false]);
  expect(await until(all(run.getReadable({ namespace: "nobody" })))).toEqual([]);
});

test("readers follow live, from an index or the tail, and share the looks at the store", async () => {
  const { client, clock, process, until, settle, world } = cluster();
  const next = gate();
  const tell = step("tell", async () => {
    const writer = getWritable<number>().getWriter();
    for (const n of [0, 1, 2, 3]) await writer.write(n);
    await next.promise;
    await writer.write(4);
  });
  const flow = workflow("flow", async () => await tell());
  await process();
  const run = await until(client.start(flow, []));
  const live = all(run.getReadable<number>());
  await settle();
  const tail = all(run.getReadable<number>({ startIndex: -2 }));
  const beyond = all(run.getReadable<number>({ startIndex: 4 }));
  const others = Array.from({ length: 50 }, () => all(run.getReadable<number>()));
  await settle();
  expect(await until(run.readable.getTailIndex())).toBe(3);
  let looks = 0;
  const read = world.readChunks.bind(world);
  world.readChunks = (query) => {
    looks++;
    return read(query);
  };
  const now = clock.now();
  next.open();
  expect(await until(live)).toEqual([0, 1, 2, 3, 4]);
  expect(await until(tail)).toEqual([2, 3, 4]);
  expect(await until(beyond)).toEqual([4]);
  expect(await until(Promise.all(others))).toEqual(others.map(() => [0, 1, 2, 3, 4]));
  // By notifications, and not by looking from time to time.
  expect(clock.now()).toBe(now);
  // One chunk, and the end: for all 53 of them.
  expect(looks).toBeLessThan(10);
});

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

test("writing to a stream that was closed fails the step at once", async () => {
  const { client, process, until } = cluster();
  let bodies = 0;
  const close = step("close", async () => await getWritable().close());
  const write = step("write", async () => {
    bodies++;
    const writer = getWritable().getWriter();
    void writer.write("late").catch(() => {});
  });
  const flow = workflow("flow", async () => {
    await close();
    await write();
  });
  await process();
  const run = await until(client.start(flow, []));
  await expect(until(run.returnValue)).rejects.toThrow(/takes nothing more/);
  expect(bodies).toBe(1);
});

test.each(["completed", "failed", "cancelled", "terminated"])("readers end when a run is %s", async (how) => {
  const { client, clock, process, until, settle } = cluster();
  const write = writes("write");
  const flow = workflow("flow", async () => {
    await write("one");
    const go = await createHook<string>({ token: "go" });
    if (go === "failed") throw new FatalError("failed");
  });
  await process();
  const run = await until(client.start(flow, []));
  const [output, other] = [all(run.readable), all(run.getReadable({ namespace: "other" }))];
  await settle();
  if (how === "completed" || how === "failed") await until(client.resumeHook("go", how));
  else await until(run.cancel({ mode: how === "cancelled" ? "graceful" : "terminate" }));
  const now = clock.now();
  expect(await until(output)).toEqual(["one"]);
  expect(await until(other)).toEqual([]);
  expect(clock.now()).toBe(now);
});

test("a stream is the run's over its generations", async () => {
  const { client, process, until } = cluster();
  const write = writes("write");
  const flow = workflow("flow", async (n: number): Promise<void> => {
    await write(n);
    if (n < 3) return await continueAsNew([n + 1]);
  });
  await process();
  const run = await until(client.start(flow, [1]));
  await until(run.returnValue);
  expect(await until(all(run.readable))).toEqual([1, 2, 3]);
});

test("a workflow passes streams on, and neither reads nor writes", async () => {
  const { client, process, until } = cluster();
  const write = step("write", async (stream: WritableStream<string>, text: string) => {
    const writer = stream.getWriter();
    await writer.write(text);
    writer.releaseLock();
  });
  const flow = workflow("flow", async (what: string) => {
    const stream = getWritable<string>({ namespace: "own" });
    expect(stream).toBeInstanceOf(WritableStream);
    if (what === "getWriter") stream.getWriter();
    if (what === "close") await stream.close();
    if (what === "pass") await write(stream, "passed");
    if (what === "new") await write(new WritableStream(), "never");
  });
  await process();
  const run = await until(client.start(flow, ["pass"]));
  await until(run.returnValue);
  expect(await until(all(run.getReadable({ namespace: "own" })))).toEqual(["passed"]);
  for (const what of ["getWriter", "close"]) {
    const wrong = await until(client.start(flow, [what]));
    await expect(until(wrong.returnValue)).rejects.toThrow(/Pass the stream to a step/);
  }
  const wrong = await until(client.start(flow, ["new"]));
  await expect(until(wrong.returnValue)).rejects.toThrow(/args\[0\].*stream that no run has/);
});

test("others write to a run's stream from outside, and from steps of other runs", async () => {
  const { client, process, until } = cluster();
  const holder = workflow("holder", async () => await createHook({ token: "over" }));
  const contribute = step("contribute", async (stream: WritableStream<string>) => {
    const writer = stream.getWriter();
    await writer.write("from a step");
    writer.releaseLock();
  });
  const guest = workflow("guest", async (stream: WritableStream<string>) => await contribute(stream));
  await process();
  const run = await until(client.start(holder, []));
  const writer = run.getWritable<string>({ namespace: "chat" }).getWriter();
  await until(writer.write("from outside"));
  const other = await until(client.start(guest, [run.getWritable({ namespace: "chat" })]));
  await until(other.returnValue);
  await until(client.resumeHook("over", undefined));
  await until(run.returnValue);
  expect(await until(all(run.getReadable({ namespace: "chat" })))).toEqual(["from outside", "from a step"]);
  await expect(until(writer.write("too late"))).rejects.toThrow(/takes nothing more/);
  await expect(until(all(client.getRun("wrun_none").readable))).rejects.toThrow(/not found/);
});

test("a reader who leaves, and a deleted run", async () => {
  const { client, process, until, settle } = cluster();
  const write = writes("write");
  const flow = workflow("flow", async () => {
    await write(1);
    await createHook({ token: "go" });
  });
  await process();
  const run = await until(client.start(flow, []));
  const reader = run.getReadable<number>().getReader();
  expect(await until(reader.read())).toEqual({ done: false, value: 1 });
  const waits = reader.read();
  await settle();
  await until(reader.cancel());
  expect(await until(waits)).toEqual({ done: true, value: undefined });
  const controller = new AbortController();
  const chunks = run.chunks({ startIndex: 1, signal: controller.signal });
  const ends = chunks.next();
  await settle();
  controller.abort();
  expect(await until(ends)).toEqual({ done: true, value: undefined });
  const follows = all(run.readable);
  follows.catch(() => {});
  await until(run.cancel());
  await until(run.returnValue.catch(() => {}));
  expect(await until(follows)).toEqual([1]);
  await settle();
  await until(run.delete());
  await expect(until(all(run.readable))).rejects.toThrow(/not found/);
  await expect(until(run.readable.getTailIndex())).rejects.toThrow(/not found/);
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

/** A stream of these chunks, which fails at its end if there is an error. */
function streamOf<T>(chunks: readonly T[], error?: Error): ReadableStream<T> {
  const left = [...chunks];
  return new ReadableStream<T>({
    pull(queue) {
      const [chunk] = left.splice(0, 1);
      if (chunk !== undefined) queue.enqueue(chunk);
      else if (error === undefined) queue.close();
      else queue.error(error);
    },
  });
}

const collect = () => step("collect", async (stream: ReadableStream<unknown>) => await all(stream));

test("readable streams as arguments, anywhere in them, and as results of steps and workflows", async () => {
  const { client, process, until } = cluster();
  const [read, produce] = [
    collect(),
    step("produce", async (n: number) => ({ stream: streamOf([n, n + 1]) })),
  ];
  const flow = workflow("flow", async ({ input }: { input: ReadableStream<Uint8Array>[] }) => {
    const inputs = await Promise.all(input.map((stream) => read(stream)));
    const { stream } = await produce(7);
    return { inputs, produced: await read(stream), again: stream };
  });
  const worker = await process();
  const [bytes, same] = [streamOf([new Uint8Array([1]), new Uint8Array([2])]), streamOf(["x"])];
  const run = await until(
    client.start(flow, [{ input: [bytes, same as ReadableStream, same as ReadableStream] }]),
  );
  const result = (await until(run.returnValue)) as { again: ReadableStream };
  expect(result).toMatchObject({
    inputs: [[new Uint8Array([1]), new Uint8Array([2])], ["x"], ["x"]],
    produced: [7, 8],
  });
  expect(await until(all(result.again))).toEqual([7, 8]);
  expect(worker.logs.filter(({ level }) => level === "error")).toEqual([]);
});

test("a passed stream that fails fails those who read it, after what it gave", async () => {
  const { client, process, until } = cluster();
  const got: unknown[] = [];
  const read = step("read", async (stream: ReadableStream) => {
    try {
      for await (const chunk of stream) got.push(chunk);
      return "ended";
    } catch (error) {
      return (error as Error).message;
    }
  });
  const produce = step("produce", async () => streamOf([2], new Error("no more")));
  const flow = workflow("flow", async (stream: ReadableStream) => [
    await read(stream),
    await read(await produce()),
    await read(await step("bad", async () => streamOf([() => 1]))()),
  ]);
  await process();
  const run = await until(client.start(flow, [streamOf([1], new Error("broken"))]));
  const [first, second, third] = (await until(run.returnValue)) as string[];
  expect([first, second, got]).toEqual(["broken", "no more", [1, 2]]);
  expect(third).toMatch(/chunk is a function/);
});

test("streams as payloads, and writable ones of the program", async () => {
  const { client, process, until } = cluster();
  const read = collect();
  const write = step("write", async (stream: WritableStream<string>) => {
    const writer = stream.getWriter();
    await writer.write("one");
    await writer.write("two");
    await writer.close();
  });
  const flow = workflow("flow", async (target: WritableStream<string>) => {
    const inbox = createHook<ReadableStream>({ token: "inbox" });
    const first = await read(await inbox);
    await write(target);
    return [first, await read(await inbox)];
  });
  await process();
  const written: string[] = [];
  let closed = false;
  const target = new WritableStream<string>({
    write: (chunk) => void written.push(chunk),
    close: () => {
      closed = true;
    },
  });
  const run = await until(client.start(flow, [target], { hook: { token: "inbox" } }));
  const key = { idempotencyKey: "once" };
  await until(client.resumeHook("inbox", streamOf(["p", "q"]), key));
  await until(client.resumeHook("inbox", streamOf(["p", "q"]), key));
  await until(client.resumeHook("inbox", streamOf([])));
  expect(await until(run.returnValue)).toEqual([["p", "q"], []]);
  expect([written, closed]).toEqual([["one", "two"], true]);
});

test("a child's argument, and a start whose key has a run", async () => {
  const { client, process, until } = cluster();
  const read = collect();
  const child = workflow("child", async (stream: ReadableStream) => await read(stream));
  const begin = step("begin", async () => (await start(child, [streamOf([1, 2])])).runId);
  const flow = workflow("flow", async () => await getRun<unknown[]>(await begin()).returnValue);
  await process();
  const run = await until(client.start(flow, []));
  expect(await until(run.returnValue)).toEqual([1, 2]);
  const first = await until(client.start(child, [streamOf([3])], { idempotencyKey: "k" }));
  expect(await until(first.returnValue)).toEqual([3]);
  let reason: unknown;
  const unread = new ReadableStream({
    cancel(given) {
      reason = given;
    },
  });
  const second = await until(client.start(child, [unread], { idempotencyKey: "k" }));
  expect(second.runId).toBe(first.runId);
  expect(String(reason)).toContain(first.runId);
});

test("a run that is brought back reads the stream that its first run was given", async () => {
  const { client, process, until } = cluster();
  const read = collect();
  let fails = true;
  const last = step("last", async () => {
    if (fails) throw new FatalError("fails");
  });
  const flow = workflow("flow", async (stream: ReadableStream) => {
    await last();
    return await read(stream);
  });
  await process();
  const run = await until(client.start(flow, [streamOf([1, 2])]));
  await expect(until(run.returnValue)).rejects.toThrow(/fails/);
  fails = false;
  const again = await until(run.retry());
  expect(again.runId).not.toBe(run.runId);
  expect(await until(again.returnValue)).toEqual([1, 2]);
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

test("a fast source waits for the store", async () => {
  const { client, process, until, when } = cluster();
  const stuck = gate();
  const read = collect();
  const flow = workflow("flow", async (stream: ReadableStream) => (await read(stream)).length);
  await process();
  let pulled = 0;
  const source = new ReadableStream<Uint8Array>(
    {
      pull(queue) {
        if (pulled++ === 5000) queue.close();
        else queue.enqueue(new Uint8Array(1000));
      },
    },
    { highWaterMark: 0 },
  );
  const append = client.world.appendChunks.bind(client.world);
  client.world.appendChunks = async (batch) => {
    await stuck.promise;
    return await append(batch);
  };
  const run = await until(client.start(flow, [source]));
  let before = -1;
  await when(() => {
    const still = pulled === before && pulled > 0;
    before = pulled;
    return still;
  });
  expect(pulled).toBeLessThan(600);
  stuck.open();
  expect(await until(run.returnValue)).toBe(5000);
});

test("a step that writes to another run's stream, and is brought back in a run of its own", async () => {
  const { client, process, until } = cluster();
  const holder = workflow("holder", async () => await createHook({ token: "over" }));
  let fails = true;
  const contribute = step("contribute", async (stream: WritableStream<string>) => {
    const writer = stream.getWriter();
    await writer.write(fails ? "before" : "after");
    if (fails) throw new FatalError("fails");
  });
  const guest = workflow("guest", async (stream: WritableStream<string>) => await contribute(stream));
  await process();
  const run = await until(client.start(holder, []));
  const other = await until(client.start(guest, [run.getWritable()]));
  await expect(until(other.returnValue)).rejects.toThrow(/fails/);
  fails = false;
  await until((await until(other.retry())).returnValue);
  await until(client.resumeHook("over", undefined));
  await until(run.returnValue);
  expect(await until(all(run.readable))).toEqual(["before", "after"]);
});

test("a step that passes a stream to a child it started before, and a child that does not read to the end", async () => {
  const { client, process, until } = cluster();
  const first = step("first", async (stream: ReadableStream) => (await stream.getReader().read()).value);
  const child = workflow("child", async (stream: ReadableStream) => await first(stream));
  const begin = step(
    "begin",
    async () => {
      const { attempt } = getStepMetadata();
      let next = 0;
      const endless = new ReadableStream({ pull: (queue) => queue.enqueue(`${attempt}.${next++}`) });
      const { runId } = await start(child, [
        attempt === 1 ? streamOf(["1.0"], new Error("broken")) : endless,
      ]);
      if (attempt === 1) throw new Error("fails");
      return runId;
    },
    { backoff: { initial: "1s" } },
  );
  const flow = workflow("flow", async () => await getRun<unknown>(await begin()).returnValue);
  await process();
  const run = await until(client.start(flow, []));
  expect(await until(run.returnValue)).toMatch(/^[12]\.0$/);
});

test("options that cannot be meant are refused", async () => {
  const { client } = cluster();
  const run = client.getRun("wrun_1");
  expect(() => run.getReadable({ startindex: 1 } as object)).toThrow(/startindex.*nearest is "startIndex"/);
  expect(() => run.getReadable({ startIndex: 1.5 })).toThrow(/startIndex: must be a whole number/);
  expect(() => run.chunks({ attempts: "first" as "last" })).toThrow(/attempts: must be/);
  expect(() => run.getWritable({ namespace: "" })).toThrow(/namespace: must be/);
  await expect(run.readable.getChunks({ limit: 0 })).rejects.toThrow(/limit/);
  expect(() => getWritable()).toThrow(/a workflow or a step/);
});

test("a chunk comes by notification while the run goes on", async () => {
  const { client, clock, process, until, settle } = cluster();
  const write = writes("write");
  const flow = workflow("flow", async () => {
    await createHook({ token: "go" });
    await write("now");
    await createHook();
  });
  await process();
  const run = await until(client.start(flow, [], { hook: { token: "go" } }));
  const next = run.readable.getReader().read();
  await settle();
  const now = clock.now();
  await until(client.resumeHook("go", null));
  expect(await until(next)).toEqual({ done: false, value: "now" });
  expect(clock.now()).toBe(now);
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

test("a child that does not read to the end does not fail the step that passed it a stream", async () => {
  const { client, process, until } = cluster();
  const first = step("first", async (stream: ReadableStream) => (await stream.getReader().read()).value);
  const child = workflow("child", async (stream: ReadableStream) => await first(stream));
  let cancelled = false;
  const begin = step("begin", async () => {
    let next = 0;
    const endless = new ReadableStream({
      pull: (queue) => queue.enqueue(next++),
      cancel: () => {
        cancelled = true;
      },
    });
    return [(await start(child, [endless])).runId, getStepMetadata().attempt] as const;
  });
  const flow = workflow("flow", async () => {
    const [runId, attempt] = await begin();
    return [await getRun<unknown>(runId).returnValue, attempt];
  });
  await process();
  const run = await until(client.start(flow, []));
  expect(await until(run.returnValue)).toEqual([0, 1]);
  expect(cancelled).toBe(true);
});
