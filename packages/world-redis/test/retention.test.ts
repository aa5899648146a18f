import { deleteOldRuns, type World } from "@perdure/core/world";
import { sharedRedis, startRedis } from "@perdure/testbed/redis";
import { event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { expect, it, vi } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, keysWith, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

const key = (name: string) => ({ key: name, fingerprint: "same", expiresAt: null });

/** Runs that leave every kind of key behind: values, mail, hooks, start keys, and messages to tokens. */
async function fill(world: World): Promise<void> {
  for (let index = 0; index < 20; index++) {
    const runId = `run-${index}`;
    await world.createRuns([newRun(runId, { lease: LEASE, startKey: key(runId) })], NOW);
    // A start that loses, and one that is sent again.
    await world.createRuns([newRun(`loser-${index}`, { startKey: key(runId) })], NOW);
    await world.createRuns([newRun(runId, { lease: LEASE, startKey: key(runId) })], NOW);
    const hooks = [event("hook_created", "a", `a-${index}`), event("hook_created", "b", "contested")];
    await world.commit([hold(runId, 1, [...hooks, event("step_created", "s", "step")])], NOW);
    await world.deliver(
      [
        { messageId: `m1-${index}`, to: { token: `a-${index}` }, type: "hook_received", at: NOW, data: null },
        { messageId: `m2-${index}`, to: { runId }, type: "wake", at: NOW, data: null },
        { messageId: `m3-${index}`, to: { token: "contested" }, type: "hook_received", at: NOW, data: null },
      ],
      NOW,
    );
  }
  for (let index = 0; index < 20; index++) {
    const ends = finish(`run-${index}`, 4, NOW);
    await world.commit([{ ...ends, run: { ...ends.run, output: new Uint8Array(100), error: null } }], NOW);
  }
}

it.each([1, 5])(
  "deleted runs leave nothing in a store of %d partitions",
  { timeout: 60_000 },
  async (partitions) => {
    const namespace = newNamespace();
    const world = await openWorld({ url, namespace, partitions });
    await fill(world);
    const client = connectTo(url);
    expect((await keysWith(namespace, client)).length).toBeGreaterThan(60);
    for (const name of await keysWith(namespace, client)) expect(await client.ttl(name), name).toBe(-1);
    expect(await deleteOldRuns(world, NOW + 1)).toBe(20);
    const left = await keysWith(namespace, client);
    expect(left.filter((name) => !name.endsWith(":meta"))).toEqual([]);
    expect(left).toHaveLength(partitions);
  },
);

it("what dying processes leave behind goes too", { timeout: 60_000 }, async () => {
  const namespace = newNamespace();
  const client = connectTo(url);
  const world = await openWorld({ url, namespace, partitions: 3 });
  await world.createRuns([newRun("run-1", { lease: LEASE })], NOW);
  const ends = finish("run-1", 2, NOW);
  const acts: ((dying: World) => Promise<unknown>)[] = [
    (dying) => dying.createRuns([newRun("never", { startKey: key("order-1") })], NOW),
    (dying) => dying.commit([hold("run-1", 1, [event("hook_created", "a", "token")])], NOW),
    (dying) => dying.commit([ends], NOW),
    (dying) => dying.deleteRuns(["run-1"]),
  ];
  for (const act of acts) {
    for (let point = 0; point < 8; point++) {
      let left = Number.POSITIVE_INFINITY;
      const dying = redisWorld({
        url,
        namespace,
        clock: "caller",
        beforeOperation: () => {
          if (left-- <= 0) throw new Error("died");
        },
      });
      await dying.open();
      left = point;
      await act(dying).catch(() => {});
      await dying.close();
    }
  }
  // Who was announced and never created is given up after ten minutes, which these have waited.
  for (const name of await keysWith(`${namespace}`, client)) {
    if (!name.endsWith(":unborn")) continue;
    for (const id of await client.zrange(name, "0", "-1")) await client.zadd(name, "1", id);
  }
  await world.deleteRuns(["run-1"]);
  // The run of the key got through in the end, and has not ended.
  const [never] = await world.getRuns(["never"]);
  expect(never?.status).toBe("pending");
  const left = (await keysWith(namespace, client)).map((name) => name.replace(/^.*\}:/, ""));
  const kept = ["d:", "j:never", "meta", "n:never", "names", "r:never", "s:p", "w:", "q:"];
  expect(left.filter((name) => !kept.some((known) => name.startsWith(known)))).toEqual([]);
});

it("what is old goes where the memory is full", { timeout: 60_000 }, async () => {
  await using server = await startRedis({ settings: { appendonly: "no", "maxmemory-policy": "noeviction" } });
  const world = await openWorld({ url: server.url });
  await fill(world);
  // One that was announced and never created.
  await world.createRuns([newRun("run-20", { startKey: key("order-1") })], NOW);
  const client = connectTo(server.url);
  await client.zadd("perdure{0}:unborn", 1, "never");
  await client.hset("perdure{0}:n:never", "k1:never", `P${"m".repeat(16)}`);
  await client.config("SET", "maxmemory", "1");
  await expect(world.createRuns([newRun("run-21")], NOW)).rejects.toThrow("out of memory");
  expect(await deleteOldRuns(world, NOW + 1)).toBe(20);
  const left = (await keysWith("", client)).filter((name) => /:([rjinmv]|sent):|:unborn/.test(name));
  expect(left.filter((name) => !name.endsWith("run-20"))).toEqual([]);
});

it("with a retention ended runs go by themselves", { timeout: 30_000 }, async () => {
  const namespace = newNamespace();
  const world = await openWorld({ url, namespace, retention: 200 });
  await fill(world);
  const client = connectTo(url);
  await vi.waitUntil(async () => (await keysWith(namespace, client)).length === 1, {
    timeout: 20_000,
    interval: 50,
  });
});
