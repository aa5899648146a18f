import { randomUUID } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { sharedPostgres } from "@perdure/testbed/postgres";
import { scriptsIn } from "@perdure/testbed/processes";
import { sharedRedis } from "@perdure/testbed/redis";
import { once } from "perdure";
import { countRuns, start } from "perdure/api";
import { configure, createWorker } from "perdure/runtime";
import { expect, test } from "vitest";
import { charge, holds, noteEffectsIn, order } from "./processes/key-flows.ts";
import { worldOf } from "./processes/world-of.ts";

// Fifty callers in four processes want one key, on every World from one file: effects are counted, not calls. The cases of each promise
// are in packages/core/test/engine/once.test.ts and start-keys.test.ts.

const PROCESSES = 4;
const CALLERS = 13;

const servers: Readonly<Record<string, (folder: string) => Promise<string>>> = {
  sqlite: async (folder) => join(folder, "perdure.db"),
  postgres: async () => (await sharedPostgres()).url,
  redis: async () => (await sharedRedis()).url,
  mongodb: async () => (await sharedMongodb()).url,
};

test.each(Object.keys(servers))(
  "one effect of fifty callers in four processes on %s",
  async (name) => {
    const folder = mkdtempSync(join(tmpdir(), "perdure-keys-"));
    const where = await (servers[name] as (folder: string) => Promise<string>)(folder);
    const namespace = `k${randomUUID().replaceAll("-", "").slice(0, 12)}`;
    const world = await worldOf(name, where, namespace);
    await world.open();
    const script = scriptsIn(join(import.meta.dirname, "processes"));
    const processes = Array.from({ length: PROCESSES }, (_, n) =>
      script("key-caller", name, where, namespace, folder, n, CALLERS),
    );
    await Promise.all(processes.map((process) => process.line("ready")));
    for (const process of processes) process.go();
    for (const process of processes) {
      expect(await process.line((line) => line.startsWith("["))).toBe(
        JSON.stringify(["accepted", "cus_1 charged", "shipped"]),
      );
    }
    const effects = readFileSync(join(folder, "effects"), "utf8").trim().split("\n").sort();
    const ids = new Map(effects.map((line) => line.split(" ") as [string, string]));
    expect(effects).toEqual(
      ["charge", "declined", "declined", "reserve", "ship", "ship"].map((what) => `${what} ${ids.get(what)}`),
    );
    configure({ world, worker: false });
    const live = { workflow: holds, statuses: ["pending", "running"] } as const;
    expect(await countRuns(live)).toBe(1);
    expect(await countRuns({ workflow: holds, statuses: ["cancelled"] })).toBe(PROCESSES * 3 - 1);
    expect(await countRuns({ workflow: order })).toBe(2);
    expect(await countRuns({ workflow: "step:keys//charge" })).toBe(1);
    await rest(world, folder);
    for (const process of processes) process.go();
    await Promise.all(processes.map((process) => process.end()));
    await world.close();
    rmSync(folder, { recursive: true, force: true });
  },
  60_000,
);

/** Keys that are given back, and programs that call once themselves. */
async function rest(world: World, folder: string): Promise<void> {
  noteEffectsIn(folder);
  const worker = createWorker({ world, pollInterval: 200 });
  await worker.start();
  const run = await once.run("invoice", charge, "cus_1");
  expect(await run.returnValue).toBe("cus_1 charged");
  expect(await run.key).toBe("invoice");
  await expect(once("invoice", charge, "cus_2")).rejects.toThrow(/other arguments/);
  await run.releaseKey();
  const next = await once.run("invoice", charge, "cus_2");
  expect(next.runId).not.toBe(run.runId);
  expect(await next.returnValue).toBe("cus_2 charged");
  const held = await start(holds, [0], { idempotencyKey: "released", ttl: "1 day" });
  await held.releaseKey();
  const other = await start(holds, [1], { idempotencyKey: "released" });
  expect(other.runId).not.toBe(held.runId);
  await Promise.all([held, other].map((live) => live.cancel({ mode: "terminate" })));
  await worker.close();
}
