import type { World } from "@perdure/core/world";
import { startRedis } from "@perdure/testbed/redis";
import { claiming, event, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { expect, it, vi } from "vitest";
import { proxyTo } from "./proxy.ts";
import { connectTo, openWorld } from "./store.ts";

it("of two owners of one epoch, which a fail-over that lost a claim has made, one is fenced", async () => {
  const settings = { "repl-diskless-sync-delay": 0 };
  await using primary = await startRedis({ settings });
  await using replica = await startRedis({
    settings: { ...settings, replicaof: `127.0.0.1 ${primary.port}` },
  });
  const proxy = await proxyTo(primary.port);
  const loser = await openWorld({ url: proxy.url });
  await loser.createRuns([newRun("run-1"), newRun("run-2")], NOW);
  const replicated = connectTo(replica.url);
  await vi.waitUntil(() => replicated.exists("perdure{0}:r:run-2"), { timeout: 20_000 });

  // The replica is cut off; then a claim is acknowledged that it never hears of, and it becomes the primary.
  await replicated.replicaof("NO", "ONE");
  const claimOf = async (world: World, claimId: string): Promise<readonly (string | number | null)[]> => {
    const { runs } = await world.claim(claiming({ claimId, owner: claimId }));
    return runs.flatMap(({ run }) => [run.runId, run.epoch, run.claimId]);
  };
  expect(await claimOf(loser, "lost")).toEqual(["run-1", 1, "lost", "run-2", 1, "lost"]);
  proxy.switchTo(replica.port);
  const winner = await openWorld({ url: replica.url });
  expect(await claimOf(winner, "kept")).toEqual(["run-1", 1, "kept", "run-2", 1, "kept"]);

  const commit = (runId: string, claimId: string, seq: number, id: string) => ({
    ...hold(runId, seq, [event("step_created", id, "token")]),
    claimId,
  });
  const lease = { runId: "run-1", epoch: 1 };
  expect(await winner.commit([commit("run-1", "kept", 1, "theirs")], NOW)).toMatchObject([
    { outcome: "committed" },
  ]);
  // As many events, from the same place, under the same epoch: that is not a repetition of the winner's.
  expect(
    await loser.commit([commit("run-1", "lost", 1, "ours"), commit("run-2", "lost", 1, "ours")], NOW),
  ).toEqual([{ outcome: "fenced" }, { outcome: "fenced" }]);
  const hook = { ...hold("run-2", 1, [taking("hook-1", "token-1")]), claimId: "lost" };
  expect(await loser.commit([hook], NOW)).toEqual([{ outcome: "fenced" }]);
  const park = { ...commit("run-1", "lost", 2, "ours"), lease: { type: "park", dueAt: NOW } as const };
  expect(await loser.commit([park], NOW)).toEqual([{ outcome: "fenced" }]);
  expect(await loser.renew({ leases: [{ ...lease, claimId: "lost" }], ttl: 90_000, now: NOW })).toEqual([
    { outcome: "lost" },
  ]);
  expect(
    await winner.renew({ leases: [{ ...lease, claimId: "kept" }], ttl: 30_000, now: NOW }),
  ).toMatchObject([{ outcome: "renewed" }]);
  expect((await winner.listEvents("run-1", 0, 10)).map(({ id }) => id)).toEqual([null, "theirs"]);
  expect(await winner.getNames(["token-1"], NOW)).toEqual([null]);
});

it("a start that was lost with its first lease is made again, and not taken for the other's", async () => {
  const settings = { appendonly: "no" };
  await using primary = await startRedis({ settings });
  await using other = await startRedis({ settings });
  const proxy = await proxyTo(primary.port);
  const loser = await openWorld({ url: proxy.url });
  const start = (claimId: string) => newRun("run-1", { lease: { owner: claimId, claimId, ttl: 30_000 } });
  await loser.createRuns([start("lost")], NOW);
  const winner = await openWorld({ url: other.url });
  await winner.createRuns([start("kept")], NOW);
  proxy.switchTo(other.port);
  expect(await loser.createRuns([start("lost")], NOW)).toEqual([{ outcome: "created", lease: null }]);
});
