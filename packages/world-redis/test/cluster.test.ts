import { startRedisCluster } from "@perdure/testbed/redis-groups";
import { hold, NOW, newRun } from "@perdure/testbed/requests";
import { describeWorld, type WorldTarget } from "@perdure/world-testkit";
import { Cluster, Redis } from "ioredis";
import { afterAll, expect, it } from "vitest";
import { redisWorld } from "../src/index.ts";
import { keysWith, LEASE, newNamespace, openWorld, storedOn } from "./store.ts";

const cluster = await startRedisCluster({ settings: { appendonly: "no" } });
afterAll(() => cluster.stop());

const nodes = cluster.nodes.map(({ host, port }) => ({ host, port }));

async function target(): Promise<WorldTarget> {
  const namespace = newNamespace();
  const clients = new Map<unknown, Cluster>();
  return {
    async open(options) {
      const client = new Cluster(nodes);
      client.on("error", () => {});
      const world = redisWorld({ client, namespace, partitions: 6, clock: "caller", ...options });
      clients.set(world, client);
      return world;
    },
    async kill(world) {
      clients.get(world)?.disconnect();
      await world.close();
    },
    async stored() {
      const masters = nodes.map(({ host, port }) => new Redis(port, host));
      const stored = await storedOn(namespace, ...masters);
      for (const master of masters) master.disconnect();
      return stored;
    },
    async destroy() {
      for (const client of clients.values()) client.disconnect();
    },
  };
}

describeWorld({ name: "redis, cluster of three masters", create: target });

it("spreads the partitions over all masters", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ cluster: nodes, namespace });
  expect(world.describe()).toMatchObject({ partitions: 16, masters: 3 });
  const runs = Array.from({ length: 200 }, (_, index) => newRun(`run-${index}`, { lease: LEASE }));
  await world.createRuns(runs, NOW);
  const results = await world.commit(
    runs.map(({ runId }) => hold(runId, 1, [])),
    NOW,
  );
  expect(results.every(({ outcome }) => outcome === "committed")).toBe(true);
  for (const { host, port } of nodes) {
    const client = new Redis(port, host);
    const keys = await keysWith(namespace, client);
    client.disconnect();
    expect(keys.filter((key) => key.includes("r:run-")).length).toBeGreaterThan(20);
  }
});
