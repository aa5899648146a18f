import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { sharedRedis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";
import { acquireLock, createHook, step, workflow } from "perdure";
import { start } from "perdure/api";
import { DeadlockError } from "perdure/errors";
import { configure, createWorker } from "perdure/runtime";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

// Locks between several workers on every World from one file. The cases of each promise are in packages/core/test/engine.

const folder = mkdtempSync(join(tmpdir(), "perdure-locks-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const worlds: Readonly<Record<string, (namespace: string) => Promise<World>>> = {
  sqlite: async (namespace) => sqliteWorld({ path: join(folder, `${namespace}.db`) }),
  postgres: async (namespace) => postgresWorld({ ...(await sharedPostgres()), namespace }),
  redis: async (namespace) => redisWorld({ ...(await sharedRedis()), namespace }),
  mongodb: async (namespace) => mongodbWorld({ url: (await sharedMongodb()).url, namespace }),
};

/** What bodies have done under a lock: how many were at it at once, and in the order of which fences. */
const inside = new Map<string, { now: number; most: number; fences: number[] }>();

function effectsOf(key: string) {
  const effects = inside.get(key) ?? { now: 0, most: 0, fences: [] };
  inside.set(key, effects);
  return effects;
}

const works = step("locks//works", async (key: string, fence: number) => {
  const effects = effectsOf(key);
  effects.fences.push(fence);
  effects.now++;
  effects.most = Math.max(effects.most, effects.now);
  await pause(5);
  effects.now--;
});
const locked = workflow("locks//locked", async (key: string, limit: number) => {
  await using lock = await acquireLock(key, { limit });
  await works(key, lock.fence);
  return lock.fence;
});
const holds = workflow("locks//holds", async (key: string) => {
  await acquireLock(key);
  await createHook();
});
const crosses = workflow("locks//crosses", async (own: string, other: string) => {
  await using _ = await acquireLock(own);
  await works(own, 0);
  try {
    await using __ = await acquireLock(other);
    return "both";
  } catch (error) {
    if (!DeadlockError.is(error)) throw error;
    return "deadlock";
  }
});
const limited = workflow("locks//limited", async (key: string) => await works(key, 0), {
  concurrency: { key: (key) => key, limit: 2 },
});

describe.each(Object.keys(worlds))("on %s", (name) => {
  let stores: readonly World[];
  let close: () => Promise<void>;

  beforeAll(async () => {
    const make = worlds[name] as (namespace: string) => Promise<World>;
    const space = `l${randomUUID().replaceAll("-", "").slice(0, 12)}`;
    stores = await Promise.all([make(space), make(space), make(space)]);
    configure({ world: stores[0] as World, worker: false });
    const workers = stores.map((world) => createWorker({ world, pollInterval: 200 }));
    for (const worker of workers) await worker.start();
    close = async () => {
      await Promise.all(workers.map((worker) => worker.close()));
      await Promise.all(stores.map((world) => world.close()));
    };
  }, 120_000);
  afterAll(() => close());

  test("so many have a lock at once as its limit says, each with a fence of its own", async () => {
    const tries = [1, 3].flatMap((limit) =>
      Array.from({ length: 10 }, () => [`${name} ${limit}`, limit] as const),
    );
    const fences = await Promise.all(
      tries.map(async ([key, limit]) => await (await start(locked, [key, limit])).returnValue),
    );
    expect(new Set(fences).size).toBeGreaterThanOrEqual(10);
    for (const limit of [1, 3]) {
      const { most, fences: seen } = effectsOf(`${name} ${limit}`);
      expect(most).toBeLessThanOrEqual(limit);
      expect(new Set(seen).size).toBe(10);
      if (limit === 1) expect(seen).toEqual([...seen].sort((a, b) => a - b));
    }
  });

  test("a cancelled run, and one that is terminated, give it back", async () => {
    const key = `${name} given back`;
    for (const mode of ["graceful", "terminate"] as const) {
      const holder = await start(holds, [key]);
      const parked = async () => (await stores[0]?.getRuns([holder.runId]))?.[0]?.dueAt === null;
      await expect.poll(parked, { timeout: 30_000, interval: 20 }).toBe(true);
      const next = await start(locked, [key, 1]);
      await holder.cancel({ mode });
      expect(await next.returnValue).toBeGreaterThan(0);
    }
  });

  test("a deadlock has one victim", async () => {
    const [left, right] = [`${name} left`, `${name} right`];
    const runs = await Promise.all([start(crosses, [left, right]), start(crosses, [right, left])]);
    const ends = await Promise.all(runs.map((run) => run.returnValue));
    expect(ends.filter((end) => end === "both").length).toBeGreaterThanOrEqual(1);
  });

  test("a workflow's concurrency", async () => {
    const key = `${name} concurrency`;
    const runs = await Promise.all(Array.from({ length: 10 }, () => start(limited, [key])));
    await Promise.all(runs.map((run) => run.returnValue));
    expect(effectsOf(key).most).toBeLessThanOrEqual(2);
    expect(effectsOf(key).fences).toHaveLength(10);
  });
});
