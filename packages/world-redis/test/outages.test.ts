import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { CommitResult, RunCommit, World } from "@perdure/core/world";
import { startRedis } from "@perdure/testbed/redis";
import { startRedisSentinel } from "@perdure/testbed/redis-groups";
import { event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit";
import { expect, it } from "vitest";
import { connectTo, LEASE, openWorld } from "./store.ts";

/** Sends a commit again and again, as the engine does, until there is an answer. */
async function commitSurely(world: World, commit: RunCommit): Promise<CommitResult | undefined> {
  for (;;) {
    try {
      return (await world.commit([commit], NOW))[0];
    } catch (error) {
      if (!WorldError.is(error) || !error.retryable) throw error;
      await delay(10);
    }
  }
}

/** Writes `steps` commits to each of some runs while `fault` happens; afterwards each is in the journal once. */
async function writeThrough(world: World, steps: number, fault: () => Promise<void>): Promise<void> {
  const runs = Array.from({ length: 10 }, (_, index) => newRun(`run-${index}`, { lease: LEASE }));
  await world.createRuns(runs, NOW);
  let written = 0;
  let faulted: Promise<void> | undefined;
  await Promise.all(
    runs.map(async ({ runId }) => {
      for (let step = 1; step <= steps; step++) {
        const commit = hold(runId, step, [event("step_created", `step-${step}`)]);
        expect(await commitSurely(world, commit)).toMatchObject({ outcome: "committed" });
        if (++written === 30) faulted = fault();
      }
    }),
  );
  await faulted;
  for (const { runId } of runs) {
    const journal = await world.listEvents(runId, 0, 1_000);
    expect(journal.slice(1).map(({ id }) => id)).toEqual(
      Array.from({ length: steps }, (_, index) => `step-${index + 1}`),
    );
  }
  await checkInvariants(world, { now: NOW });
}

it("goes on where it was when the server is killed and started again", { timeout: 60_000 }, async () => {
  await using server = await startRedis({ settings: { appendfsync: "always" } });
  const world = await openWorld({ url: server.url, durability: "aof" });
  await writeThrough(world, 40, async () => {
    for (let round = 0; round < 3; round++) {
      await server.restart();
      await delay(50);
    }
  });
});

it("writes each commit once when connections are cut under it", { timeout: 60_000 }, async () => {
  await using server = await startRedis({ settings: { appendonly: "no" } });
  const world = await openWorld({ url: server.url });
  const killer = connectTo(server.url);
  await writeThrough(world, 60, async () => {
    for (let round = 0; round < 20; round++) {
      await killer.call("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
      await delay(20);
    }
  });
});

it("loads its scripts again when the server has forgotten them", async () => {
  await using server = await startRedis({ settings: { appendonly: "no" } });
  const world = await openWorld({ url: server.url });
  const client = connectTo(server.url);
  await writeThrough(world, 20, async () => {
    for (let round = 0; round < 5; round++) await client.script("FLUSH");
  });
});

it("waits while a server is a replica for a moment", { timeout: 60_000 }, async () => {
  await using server = await startRedis({ settings: { appendonly: "no" } });
  const world = await openWorld({ url: server.url });
  const client = connectTo(server.url);
  await writeThrough(world, 20, async () => {
    await client.replicaof("127.0.0.1", 1);
    await delay(400);
    await client.replicaof("NO", "ONE");
  });
});

it("waits while a server loads its data", { timeout: 60_000 }, async () => {
  // Each key takes 1 ms to load, so that commands meet the server loading.
  await using server = await startRedis({
    settings: {
      appendfsync: "always",
      "key-load-delay": 500,
      "loading-process-events-interval-bytes": 1_024,
    },
  });
  const world = await openWorld({ url: server.url });
  const ballast = connectTo(server.url);
  await ballast.mset(
    Object.fromEntries(Array.from({ length: 500 }, (_, index) => [`ballast-${index}`, "x"])),
  );
  await ballast.bgrewriteaof();
  await writeThrough(world, 20, () => server.restart());
});

it("says that the memory is full, and loses nothing", async () => {
  await using server = await startRedis({ settings: { appendonly: "no" } });
  const world = await openWorld({ url: server.url });
  const client = connectTo(server.url);
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  const before = await world.getRuns(["run-1"]);
  await client.config("SET", "maxmemory", "1");
  const commit = hold("run-1", 1, [event("step_created", "step-1")]);
  const error = await world.commit([commit], NOW).catch((reason: unknown) => reason);
  expect(WorldError.is(error) && error.retryable).toBe(true);
  expect(String(error)).toContain("is out of memory (maxmemory)");
  expect(await world.getRuns(["run-1"])).toEqual(before);
  expect(await world.listEvents("run-1", 0, 10)).toHaveLength(1);
  await client.config("SET", "maxmemory", "0");
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed" }]);
});

it("fails in time and in words when nobody answers", async () => {
  const server = await startRedis();
  await server.stop();
  const opening = openWorld({ url: server.url });
  await expect(opening).rejects.toThrow(`127.0.0.1:${server.port}`);
});

it("follows a failover under Sentinel and keeps what was replicated", { timeout: 90_000 }, async () => {
  await using sentinel = await startRedisSentinel();
  const target = { sentinel: { name: sentinel.name, nodes: sentinel.nodes } };
  const careful = await openWorld({ ...target, durability: "replicated" });
  const runs = Array.from({ length: 20 }, (_, index) => newRun(`run-${index}`, { lease: LEASE }));
  await careful.createRuns(runs, NOW);
  for (const { runId } of runs) {
    await careful.commit([hold(runId, 1, [event("step_created", "step-1")])], NOW);
  }

  const world = await openWorld(target);
  await sentinel.master.crash();
  for (const { runId } of runs) {
    const commit = hold(runId, 2, [event("step_completed", "step-1")]);
    expect(await commitSurely(world, commit)).toMatchObject({ outcome: "committed" });
  }
  const promoted = connectTo(sentinel.replica.url);
  expect(await promoted.info("replication")).toContain("role:master");
  expect(await promoted.llen("perdure{0}:j:run-7")).toBe(3);
  await checkInvariants(world, { now: NOW });
});
