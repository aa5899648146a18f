import { createHook, FatalError, getStepMetadata, getWritable, step, workflow } from "@perdure/core";
import { getRun, start } from "@perdure/core/api";
import { expect, test } from "vitest";
import { cluster, gate } from "./cluster.ts";
import { all } from "./streams.ts";

// Streams that are passed on: as arguments, results and payloads.

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
