import { startRedis } from "@perdure/testbed/redis";
import { event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { expect, it } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, LEASE, openWorld } from "./store.ts";

async function commandIsUnknown(client: ReturnType<typeof connectTo>, name: string): Promise<boolean> {
  const [info] = (await client.call("COMMAND", "INFO", name)) as readonly unknown[];
  return info === null || info === undefined;
}

it('with durability "aof" a kill -9 of the server loses no acknowledged commit', {
  timeout: 60_000,
}, async () => {
  await using server = await startRedis({ settings: { appendfsync: "always" } });
  const world = await openWorld({ url: server.url, durability: "aof" });
  expect(world.capabilities.durability).toBe("machine");
  const runs = Array.from({ length: 20 }, (_, index) => newRun(`run-${index}`, { lease: LEASE }));
  await world.createRuns(runs, NOW);
  for (let round = 1; round <= 3; round++) {
    // The server dies while commits are on their way; what was acknowledged until then is counted.
    const acknowledged = new Map<string, number>();
    let answers = 0;
    let died: Promise<void> | undefined;
    await Promise.all(
      runs.map(async ({ runId }) => {
        const [row] = await world.getRuns([runId]);
        let seq = row?.seq ?? 0;
        acknowledged.set(runId, seq);
        while (died === undefined) {
          const commit = hold(runId, seq, [event("step_created", `step-${seq}`)]);
          if (
            !(await world.commit([commit], NOW).then(
              () => true,
              () => false,
            ))
          )
            break;
          seq++;
          acknowledged.set(runId, seq);
          if (++answers === 100) died = server.crash();
        }
      }),
    );
    await died;
    await server.restart();
    for (const [runId, seq] of acknowledged) {
      const [row] = await world.getRuns([runId]);
      expect(row?.seq).toBeGreaterThanOrEqual(seq);
      expect(await world.listEvents(runId, 0, 10_000)).toHaveLength(row?.seq ?? 0);
    }
  }
});

it('with durability "aof" and appendfsync everysec a commit waits for the flush, or the server is refused', {
  timeout: 60_000,
}, async () => {
  await using server = await startRedis({ settings: { appendfsync: "everysec" } });
  const client = connectTo(server.url);
  if (await commandIsUnknown(client, "waitaof")) {
    const refused = redisWorld({ url: server.url, durability: "aof" });
    await expect(refused.open()).rejects.toThrow("CONFIG SET appendfsync always");
    return;
  }
  const world = await openWorld({ url: server.url, durability: "aof" });
  const runs = Array.from({ length: 20 }, (_, index) => newRun(`run-${index}`, { lease: LEASE }));
  await world.createRuns(runs, NOW);
  for (let seq = 1; seq <= 2; seq++) {
    await world.commit(
      runs.map(({ runId }) => hold(runId, seq, [event("step_created", `step-${seq}`)])),
      NOW,
    );
    // A killed server has written what a crashed machine has not flushed; that the flush was asked for, the server tells.
    expect(await client.info("commandstats")).toContain("cmdstat_waitaof");
    await server.crash();
    await server.restart();
    for (const { runId } of runs) expect(await world.listEvents(runId, 0, 10)).toHaveLength(seq + 1);
  }
});

it("says what an acknowledged commit survives", async () => {
  await using server = await startRedis();
  const client = connectTo(server.url);
  const told = async () => {
    const world = await openWorld({ url: server.url });
    const { survives, appendonly, appendfsync } = world.describe();
    return { survives, appendonly, appendfsync, durability: world.capabilities.durability };
  };
  expect(await told()).toEqual({
    survives: "the end of the server, but for the last second or two",
    appendonly: "yes",
    appendfsync: "everysec",
    durability: "process",
  });
  await client.config("SET", "appendfsync", "always");
  expect(await told()).toMatchObject({
    survives: "the end of the server and power loss",
    durability: "machine",
  });
  await client.config("SET", "appendonly", "no");
  expect(await told()).toMatchObject({ survives: "nothing that ends the server", durability: "nothing" });
});

it("refuses a server that cannot keep what it is given, with the command that mends it", async () => {
  await using server = await startRedis({ settings: { appendonly: "no", appendfsync: "everysec" } });
  const client = connectTo(server.url);
  const aof = redisWorld({ url: server.url, durability: "aof" });
  await expect(aof.open()).rejects.toThrow("CONFIG SET appendonly yes");

  await client.config("SET", "maxmemory-policy", "allkeys-lru");
  await expect(redisWorld({ url: server.url }).open()).rejects.toThrow(
    "CONFIG SET maxmemory-policy noeviction",
  );
  const careless = await openWorld({ url: server.url, eviction: "accept" });
  expect(careless.describe().maxmemoryPolicy).toBe("allkeys-lru");
});

it('with durability "replicated" a commit waits for its replicas', async () => {
  await using master = await startRedis({ settings: { "repl-diskless-sync-delay": 0 } });
  const lonely = await openWorld({ url: master.url, durability: "replicated", namespace: "lonely" }).catch(
    (error: unknown) => error,
  );
  expect(String(lonely)).toContain("only 0 of 1 replicas have it");

  await using replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${master.port}` } });
  const world = await openWorld({ url: master.url, durability: "replicated" });
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  await world.commit([hold("run-1", 1, [event("step_created", "step-1")])], NOW);
  expect(await connectTo(replica.url).llen("perdure{0}:j:run-1")).toBe(2);
});
