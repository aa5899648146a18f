import { sharedRedis } from "@perdure/testbed/redis";
import { claiming, finish, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { describe, expect, it } from "vitest";
import { type RedisWorldOptions, redisWorld } from "../src/index.ts";
import { connectTo, keysWith, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

describe("options", () => {
  it.each<[RedisWorldOptions, string]>([
    [{ url, cluster: ["redis://localhost"] }, "one of"],
    [{ cluster: [] }, "at least one node"],
    [{ namespace: "a:b" }, "namespace"],
    [{ prefix: "{a}" }, "prefix"],
    [{ partitions: 0 }, "partitions"],
    [{ partitions: 1.5 }, "partitions"],
    [{ replicas: 0 }, "replicas"],
    [{ patience: -1 }, "patience"],
    [{ url: "redis://user:50%zz@localhost" }, "a % in user name or password"],
    [{ callTimeout: 0 }, "callTimeout"],
    [{ callTimeout: 2 ** 31 }, "callTimeout"],
    [{ cluster: ["redis://localhost"], connection: { db: 1 } }, "database 0"],
  ])("refuses %o", (options, message) => {
    expect(() => redisWorld(options)).toThrow(TypeError);
    expect(() => redisWorld(options)).toThrow(message);
  });

  it("keeps namespaces and prefixes apart", async () => {
    const [one, two] = [newNamespace(), newNamespace()];
    const worlds = [
      await openWorld({ url, namespace: one }),
      await openWorld({ url, namespace: two }),
      await openWorld({ url, namespace: one, prefix: "other" }),
    ];
    for (const world of worlds) await world.createRuns([newRun("run-1")], NOW);
    for (const world of worlds) expect((await world.claim(claiming())).runs).toHaveLength(1);
    expect((await keysWith(one, connectTo(url))).some((key) => key.startsWith("other"))).toBe(true);
  });

  it("keeps the number of partitions that a store was made with", async () => {
    const namespace = newNamespace();
    await openWorld({ url, namespace, partitions: 3 });
    expect((await openWorld({ url, namespace })).describe().partitions).toBe(3);
    await expect(openWorld({ url, namespace, partitions: 4 })).rejects.toThrow("has 3 partitions");
  });

  it("refuses a store that a newer version has made", async () => {
    const namespace = newNamespace();
    await connectTo(url).hset(`perdure{${namespace}:0}:meta`, { version: 2, partitions: 1 });
    await expect(openWorld({ url, namespace })).rejects.toThrow("Update the package");
  });

  it("leaves a client of the user open", async () => {
    const client = connectTo(url);
    const world = redisWorld({ client, namespace: newNamespace() });
    await world.open();
    expect(world.capabilities.leaseKeeper).toBeNull();
    await world.close();
    expect(await client.ping()).toBe("PONG");
    await expect(world.getRuns(["run-1"])).rejects.toThrow("not open");
  });
});

describe("the server's clock", () => {
  const FAR = 9_000_000_000_000;

  it("judges what is due, however wrong the caller's is", async () => {
    const world = await openWorld({ url, namespace: newNamespace(), clock: "store" });
    const client = connectTo(url);
    const time = async (): Promise<number> => Number((await client.time())[0]) * 1_000;
    // To this caller the run is due now; its clock is centuries ahead.
    await world.createRuns([newRun("run-1", { dueAt: FAR })], FAR);
    const { runs, now } = await world.claim(claiming({ ttl: 60_000, now: 0 }));
    expect(runs).toHaveLength(1);
    expect(Math.abs(now - (await time()))).toBeLessThan(60_000);
    expect(runs[0]?.run.dueAt).toBe(now + 60_000);
    // The lease has not run out, whatever another caller believes.
    expect((await world.claim(claiming({ ttl: 60_000, now: FAR }))).runs).toHaveLength(0);
  });

  it("takes the times of a start for as far from now as the caller says, and a worker's as they are", async () => {
    const world = await openWorld({ url, namespace: newNamespace(), clock: "store" });
    const client = connectTo(url);
    const [seconds] = await client.time();
    const now = Number(seconds) * 1_000;
    for (const [runId, clock] of [
      ["ahead", now + 3_600_000],
      ["behind", now - 3_600_000],
    ] as const) {
      const lease = { ...LEASE, ttl: 60_000 };
      await world.createRuns([newRun(`${runId}-due`, { dueAt: clock + 100_000 })], clock);
      await world.createRuns([newRun(`${runId}-park`, { lease })], clock);
      const parks = { type: "park", dueAt: clock + 100_000 } as const;
      await world.commit([{ ...hold(`${runId}-park`, 1, []), lease: parks }], clock);
      const [due, parked] = await world.getRuns([`${runId}-due`, `${runId}-park`]);
      expect(Math.abs((due?.dueAt ?? 0) - now - 100_000)).toBeLessThan(60_000);
      expect(parked?.dueAt).toBe(parks.dueAt);
    }
  });

  it("frees a name as long after its claim as the caller says", async () => {
    const world = await openWorld({ url, namespace: newNamespace(), clock: "store" });
    const keyed = (runId: string, ttl: number) =>
      newRun(runId, {
        lease: LEASE,
        names: [firstClaim("order-1", { freeAt: FAR + ttl })],
      });
    await world.createRuns([keyed("run-1", 3_600_000)], FAR);
    await world.commit([finish("run-1", 1, NOW)], FAR);
    expect(await world.createRuns([keyed("run-2", 0)], FAR)).toMatchObject([{ outcome: "held" }]);
    const second = await openWorld({ url, namespace: newNamespace(), clock: "store" });
    await second.createRuns([keyed("run-1", 0)], FAR);
    await second.commit([finish("run-1", 1, NOW)], FAR);
    expect(await second.createRuns([keyed("run-2", 0)], FAR)).toMatchObject([{ outcome: "created" }]);
  });
});
