import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { scriptsIn } from "@perdure/testbed/processes";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { createHook, getStepMetadata, getWritable, step, workflow } from "perdure";
import { resumeHook, start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { COUNT, counts } from "./processes/stream-flows.ts";

// Streams of runs on every World from one file. The cases of each promise are in packages/core/test/engine/streams.test.ts.

const folder = mkdtempSync(join(tmpdir(), "perdure-streams-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worlds: Readonly<Record<string, () => Promise<World>>> = {
  sqlite: async () => sqliteWorld({ path: join(folder, "perdure.db") }),
  postgres: async () => postgresWorld({ ...(await sharedPostgres()), namespace: namespace() }),
  redis: async () => redisWorld({ ...(await sharedRedis()), namespace: namespace() }),
  mongodb: async () => mongodbWorld({ url: (await sharedMongodb()).url, namespace: namespace() }),
};

function namespace(): string {
  return `s${randomUUID().replaceAll("-", "").slice(0, 12)}`;
}

async function all<T>(stream: ReadableStream<T>): Promise<T[]> {
  const got: T[] = [];
  for await (const chunk of stream) got.push(chunk);
  return got;
}

const echo = step(
  "streams//echo",
  async (input: ReadableStream<Uint8Array>, n: number) => {
    const output = getWritable<unknown>();
    if (getStepMetadata().attempt === 1) {
      const writer = output.getWriter();
      await writer.write({ n: BigInt(n) });
      writer.releaseLock();
      throw new Error("fails once");
    }
    const writer = output.getWriter();
    await writer.write({ n: BigInt(n) });
    for await (const chunk of input) await writer.write(chunk);
  },
  { backoff: () => 1 },
);
const tail = step("streams//tail", async () => {
  const writer = getWritable<string>().getWriter();
  await Promise.all(Array.from({ length: 500 }, (_, n) => writer.write(`tail ${n}`)));
  return new ReadableStream<string>({
    start(queue) {
      queue.enqueue("result");
      queue.close();
    },
  });
});
const flow = workflow("streams//flow", async (inputs: ReadableStream<Uint8Array>[], token: string) => {
  await echo(inputs[0] as ReadableStream<Uint8Array>, 0);
  await createHook({ token });
  const [result] = await Promise.all([tail(), echo(inputs[1] as ReadableStream<Uint8Array>, 1)]);
  return result;
});

function bytes(...numbers: number[]): ReadableStream<Uint8Array> {
  return new Blob([new Uint8Array(numbers)]).stream();
}

describe.each(Object.keys(worlds))("on %s", (name) => {
  let world: World;
  let close: () => Promise<void>;

  beforeAll(async () => {
    world = await (worlds[name] as () => Promise<World>)();
    configure({ world, worker: false });
    const worker = createWorker({ world, pollInterval: 200 });
    await worker.start();
    close = async () => {
      await worker.close();
      await world.close();
    };
  }, 120_000);
  afterAll(() => close());

  test("two writers, a failed attempt, live and late readers", async () => {
    const token = `${name} go`;
    const run = await start(flow, [[bytes(1, 2), bytes(3)], token], { hook: { token } });
    const readers = Array.from({ length: 20 }, () => all(run.readable));
    const first = run.readable.getReader();
    expect(await first.read()).toEqual({ done: false, value: { n: 0n } });
    expect(await first.read()).toEqual({ done: false, value: new Uint8Array([1, 2]) });
    await first.cancel();
    await resumeHook(token, null);
    const result = await run.returnValue;
    const late = await all(run.readable);
    expect(late.filter((chunk) => typeof chunk !== "string")).toEqual([
      { n: 0n },
      new Uint8Array([1, 2]),
      { n: 1n },
      new Uint8Array([3]),
    ]);
    expect(late.filter((chunk) => typeof chunk === "string")).toEqual(
      Array.from({ length: 500 }, (_, n) => `tail ${n}`),
    );
    for (const live of await Promise.all(readers)) expect(live).toHaveLength(late.length);
    expect(await all(result as ReadableStream)).toEqual(["result"]);
    expect(await all(run.getReadable({ startIndex: -2 }))).toEqual(late.slice(-2));
    expect(await run.readable.getTailIndex()).toBe(late.length + 1);
  });

  test("the end of a run ends its streams", async () => {
    const token = `${name} end`;
    const run = await start(flow, [[bytes(1), bytes()], token], { hook: { token } });
    const reader = all(run.getReadable({ namespace: "nobody writes" }));
    await run.cancel({ mode: "terminate" });
    expect(await reader).toEqual([]);
    const writer = run.getWritable().getWriter();
    await expect(writer.write("late")).rejects.toThrow(/takes nothing more/);
  });
});

test("a worker is killed while it writes: nobody gets a chunk twice, and none is missing", async () => {
  const path = join(folder, "killed.db");
  const world = sqliteWorld({ path });
  configure({ world, worker: false });
  await world.open();
  const process = scriptsIn(join(import.meta.dirname, "processes"))("stream-worker", path);
  await process.line("started");
  const run = await start(counts, []);
  const live = run.getReadable<number>().getReader();
  const got: number[] = [];
  for (let n = 0; n < 10; n++) got.push((await live.read()).value as number);
  await process.kill();
  const worker = createWorker({ world, leaseTtl: 1_000 });
  await worker.start();
  await run.returnValue;
  const numbers = Array.from({ length: COUNT }, (_, n) => n);
  expect(await all(run.readable)).toEqual(numbers);
  for (let next = await live.read(); !next.done; next = await live.read()) got.push(next.value);
  expect(got).toEqual(numbers);
  const chunks = await all(run.getReadable({ attempts: "all" }));
  expect(chunks.length).toBeGreaterThan(COUNT + 9);
  await worker.close();
  await world.close();
});
