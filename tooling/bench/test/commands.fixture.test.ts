import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { text } from "node:stream/consumers";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { createHook, FatalError, workflow } from "perdure";
import { listHooks, listStartKeys, listWorkers, start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { afterAll, describe, expect, test } from "vitest";

// What operates a store, on every World from one file: the command's lists, the workers' signs of life, retention.

const POLL = { timeout: 30_000, interval: 100 };

const folder = mkdtempSync(join(tmpdir(), "perdure-commands-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const namespace = `c${randomUUID().replaceAll("-", "").slice(0, 12)}`;

const places: Readonly<Record<string, () => Promise<readonly [url: string, world: World]>>> = {
  sqlite: async () => {
    const path = join(folder, "perdure.db");
    return [`sqlite:${path}`, sqliteWorld({ path, namespace })];
  },
  postgres: async () => {
    const { url } = await sharedPostgres();
    return [url, postgresWorld({ url, namespace })];
  },
  redis: async () => {
    const { url } = await sharedRedis();
    return [url, redisWorld({ url, namespace })];
  },
  mongodb: async () => {
    const { url } = await sharedMongodb();
    return [url, mongodbWorld({ url, namespace })];
  },
};

const good = workflow("commands//good", async (n: number) => n);
const bad = workflow("commands//bad", async () => {
  throw new FatalError("no");
});
const waits = workflow("commands//waits", async (token: string) => await createHook({ token }));

const bin = join(dirname(createRequire(import.meta.url).resolve("perdure/package.json")), "bin/perdure.js");

describe.each(Object.keys(places))("%s", (name) => {
  test("lists, counts, acts and prunes", { timeout: 120_000 }, async () => {
    const [url, world] = await (places[name] as () => Promise<readonly [string, World]>)();
    // Of a project that has the World's package.
    const cwd = join(import.meta.dirname, "..");
    const perdure = async (...args: readonly string[]): Promise<unknown> => {
      const all = [bin, ...args, "--url", url, "--namespace", namespace, "--json"];
      const child = spawn(process.execPath, all, { cwd });
      const [out, error] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "close")]);
      expect(error).toBe("");
      return JSON.parse(out);
    };
    configure({ world, worker: false });
    const worker = createWorker({ world, heartbeat: 1_000, signals: [] });
    await worker.start();
    const one = await start(good, [1], { idempotencyKey: "key-1", attributes: { customer: "cus_1" } });
    const two = await start(bad, []);
    const three = await start(waits, ["token-3"]);
    expect(await one.returnValue).toBe(1);
    await expect(two.returnValue).rejects.toThrow();
    await expect
      .poll(async () => (await listHooks()).hooks.map(({ token }) => token), POLL)
      .toEqual(["token-3"]);
    expect((await listStartKeys()).keys).toMatchObject([
      { key: "key-1", workflowName: "commands//good", runId: one.runId },
    ]);
    await expect.poll(async () => (await listWorkers()).length, POLL).toBe(1);

    const [runs, hooks, workers, stats, health] = await Promise.all([
      perdure("runs", "--attribute", "customer=cus_1"),
      perdure("hooks"),
      perdure("workers"),
      perdure("stats"),
      perdure("health"),
    ]);
    expect(runs).toMatchObject([{ runId: one.runId, status: "completed" }]);
    expect(hooks).toMatchObject([{ token: "token-3", runId: three.runId }]);
    expect(workers).toMatchObject([{ workerId: worker.id, health: { ok: true } }]);
    expect(stats).toEqual({ pending: 0, running: 1, diverged: 0, completed: 1, failed: 1, cancelled: 0 });
    expect(health).toMatchObject({ ok: true, problems: [] });
    expect(await perdure("run", two.runId)).toMatchObject({ status: "failed", error: { message: "no" } });
    expect(await perdure("cancel", "--workflow", "commands//waits", "--yes")).toMatchObject([
      { error: null },
    ]);
    await expect(three.returnValue).rejects.toThrow();
    await expect.poll(async () => (await world.getRuns([three.runId]))[0]?.dueAt, POLL).toBe(null);
    expect(await perdure("prune", "--older-than", "0s", "--status", "cancelled", "--yes")).toEqual({
      deleted: 1,
      kept: 0,
    });
    await worker.close();

    // The rest goes by itself.
    const sweeper = createWorker({ world, signals: [], retention: { completed: 1, failed: "1s" } });
    await sweeper.start();
    await expect.poll(async () => await world.countRuns({}), POLL).toBe(0);
    await sweeper.close();
    await world.close();
  });
});
