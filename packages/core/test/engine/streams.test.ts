import { continueAsNew, createHook, FatalError, getWritable, step, workflow } from "@perdure/core";
import { expect, test } from "vitest";
import { cluster, gate } from "./cluster.ts";
import { all, writes } from "./streams.ts";

// Streams of runs: what steps write is read from outside, live and later, once each.

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
