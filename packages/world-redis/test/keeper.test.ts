import type { World } from "@perdure/core/world";
import { sharedRedis } from "@perdure/testbed/redis";
import { NOW, newRun } from "@perdure/testbed/requests";
import { expect, it, onTestFinished } from "vitest";
import { redisWorld } from "../src/index.ts";
import { newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

it("opens another instance on the same store, as another thread would", async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace, partitions: 2 });
  await world.createRuns([newRun("run-1", { lease: { owner: "worker", ttl: 1_000 } })], NOW);
  const located = await world.capabilities.leaseKeeper?.();
  const { openWorld: openKeeper } = (await import(located?.module ?? "")) as {
    openWorld(options: unknown): Promise<World>;
  };
  const keeper = await openKeeper(structuredClone(located?.options));
  onTestFinished(() => keeper.close());
  const leases = [{ runId: "run-1", epoch: 1 }];
  expect(await keeper.renew({ leases, ttl: 60_000, now: NOW })).toEqual([{ outcome: "renewed", mailSeq: 0 }]);
  expect((await world.getRuns(["run-1"]))[0]?.dueAt).toBe(NOW + 60_000);
});

it("is not offered where the connection cannot be sent to a thread", () => {
  const world = redisWorld({ url, connection: { retryStrategy: () => 100 } });
  expect(world.capabilities.leaseKeeper).toBeNull();
});
