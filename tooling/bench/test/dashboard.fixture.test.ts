import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import {
  type BulkResult,
  type Charts,
  type Counts,
  createDashboard,
  type HookPage,
  type KeyPage,
  type LockList,
  type RunDetail,
  type RunPage,
  type SearchResult,
  type WorkerList,
} from "@perdure/dashboard";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { acquireLock, createHook, FatalError, getWritable, setState, step, workflow } from "perdure";
import { start } from "perdure/api";
import { createWorker } from "perdure/runtime";
import { afterAll, describe, expect, test } from "vitest";

// The dashboard's API on every World, from one file: what it lists, shows, tells and does.

const folder = mkdtempSync(join(tmpdir(), "perdure-dashboard-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const namespace = `d${randomUUID().replaceAll("-", "").slice(0, 12)}`;

const worlds: Readonly<Record<string, () => Promise<World>>> = {
  sqlite: async () => sqliteWorld({ path: join(folder, "perdure.db"), namespace }),
  postgres: async () => postgresWorld({ url: (await sharedPostgres()).url, namespace }),
  redis: async () => redisWorld({ url: (await sharedRedis()).url, namespace }),
  mongodb: async () => mongodbWorld({ url: (await sharedMongodb()).url, namespace }),
};

const says = step("dashboard//says", async (text: string) => {
  const writer = getWritable<string>().getWriter();
  await writer.write(text);
  await writer.close();
  return new Map([[text, text.length]]);
});
const good = workflow("dashboard//good", async (text: string) => await says(text));
const bad = workflow("dashboard//bad", async () => {
  throw new FatalError("no");
});
const waits = workflow("dashboard//waits", async (token: string) => {
  await using _lock = await acquireLock("the door");
  setState({ at: "the door" });
  return await createHook({ token });
});

describe.each(Object.keys(worlds))("%s", (name) => {
  test("lists, shows, tells and acts", { timeout: 120_000 }, async () => {
    const world = await (worlds[name] as () => Promise<World>)();
    const worker = createWorker({ world, logger: "silent" });
    await worker.start();
    const dashboard = createDashboard({ world });
    const get = async <T>(path: string): Promise<T> =>
      (await (await dashboard(new Request(`http://localhost/api/${path}`))).json()) as T;
    const post = async <T>(path: string, body: object): Promise<T> => {
      const headers = { "content-type": "application/json" };
      const request = { method: "POST", body: JSON.stringify(body), headers };
      return (await (await dashboard(new Request(`http://localhost/api/${path}`, request))).json()) as T;
    };
    const until = async <T>(path: string, isSo: (answer: T) => boolean): Promise<T> => {
      await expect.poll(async () => isSo(await get<T>(path)), { timeout: 30_000, interval: 50 }).toBe(true);
      return await get<T>(path);
    };
    const isEnded = ({ run }: RunDetail): boolean => run.completedAt !== null && run.owner === null;

    const live = await dashboard(new Request("http://localhost/api/live/runs?status=completed"));
    const reader = (live.body as ReadableStream<Uint8Array>).getReader();
    const told = (async () => {
      let text = "";
      while (!text.includes('"status":"completed"')) {
        text += new TextDecoder().decode((await reader.read()).value);
      }
      await reader.cancel();
    })();

    const run = await start(good, ["hello"], { world, idempotencyKey: "k1", attributes: { customer: "7" } });
    const failed = await start(bad, { world, attributes: { customer: "7" } });
    const waiting = await start(waits, [`token ${name}`], { world });
    await told;
    const detail = await until<RunDetail>(`runs/${run.runId}`, isEnded);
    expect(detail).toMatchObject({
      run: { status: "completed", key: "k1", attributes: { customer: "7" } },
      result: { value: { type: "map", entries: [["hello", 5]], length: 1 } },
      timeline: [{ kind: "step", outcome: "completed", startedAt: expect.any(Number) }],
      streams: [null],
    });
    expect(await until<RunDetail>(`runs/${failed.runId}`, isEnded)).toMatchObject({
      error: { message: "no" },
    });
    const stream = await dashboard(new Request(`http://localhost/api/runs/${run.runId}/stream`));
    expect(await stream.text()).toMatch(/event: chunk\ndata: {"index":0,"value":"hello",.*\n\nevent: end/);

    const held = await until<RunDetail>(`runs/${waiting.runId}`, ({ hooks }) => hooks.length === 1);
    expect(held).toMatchObject({ locks: [{ key: "the door" }], state: { value: { type: "object" } } });
    expect(await get<LockList>("locks")).toMatchObject({ locks: [{ holders: [{ runId: waiting.runId }] }] });
    expect(await get<HookPage>("hooks")).toMatchObject({ hooks: [{ token: `token ${name}` }] });
    expect(await get<KeyPage>("keys")).toMatchObject({ keys: [{ key: "k1", runId: run.runId }] });
    expect(await get<SearchResult>("search?q=k1")).toMatchObject({
      by: ["key"],
      runs: [{ runId: run.runId }],
    });
    expect((await get<RunPage>("runs?attribute=customer%3D7&status=failed")).runs).toMatchObject([
      { runId: failed.runId },
    ]);
    // What was counted is kept for a moment.
    const { counts } = await until<Counts>("counts", ({ counts }) => counts.completed === 1);
    expect(counts).toMatchObject({ completed: 1, failed: 1, running: 1 });
    expect(await until<WorkerList>("workers", ({ workers }) => workers.length === 1)).toMatchObject({
      workers: [{ workerId: worker.id, ok: true }],
    });
    const { completed, failed: failures, estimated } = await get<Charts>("charts?range=30m");
    expect([completed.at(-1), failures.at(-1), estimated]).toEqual([1, 1, false]);

    await post("hooks/deliver", { token: `token ${name}`, payload: { yes: true } });
    expect(await until<RunDetail>(`runs/${waiting.runId}`, isEnded)).toMatchObject({
      result: { value: { type: "object", entries: [["yes", true]] } },
    });
    const retried = await post<BulkResult>("bulk", { act: "retry", filter: "attribute=customer%3D7" });
    expect(retried).toEqual({ done: 1, failed: [], cursor: null });
    const { successor } = await get<RunDetail>(`runs/${failed.runId}`);
    await until<RunDetail>(`runs/${successor}`, isEnded);
    await expect
      .poll(async () => await post<BulkResult>("bulk", { act: "delete", filter: "" }), { timeout: 30_000 })
      .toEqual({ done: 0, failed: [], cursor: null });
    expect((await get<RunPage>("runs")).runs).toEqual([]);
    await worker.close();
    await world.close();
  });
});
