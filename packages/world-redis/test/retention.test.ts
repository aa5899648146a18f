import { deleteOldRuns, type Message, type World } from "@perdure/core/world";
import { sharedRedis, startRedis } from "@perdure/testbed/redis";
import {
  CLAIM_ID,
  claiming,
  event,
  finish,
  firstClaim,
  hold,
  NOW,
  newRun,
  taking,
} from "@perdure/testbed/requests";
import { expect, it } from "vitest";
import { redisWorld } from "../src/index.ts";
import { connectTo, keysWith, LEASE, newNamespace, openWorld } from "./store.ts";

const { url } = await sharedRedis();

const named = (name: string) => [firstClaim(name, { keepFor: null })];
const sent = (to: Message["to"], messageId: string): Message => ({
  messageId,
  to,
  type: "sent",
  at: NOW,
  data: null,
});

/** Runs that leave every kind of key behind: values, mail, end mail, names, and messages over names. */
async function fill(world: World): Promise<void> {
  for (let index = 0; index < 20; index++) {
    const runId = `run-${index}`;
    const mail = [{ messageId: `m0-${index}`, id: runId, type: "sent", at: NOW, data: null }];
    await world.createRuns([newRun(runId, { lease: LEASE, names: named(runId), mail })], NOW);
    // Starts that lose, and one that is sent again.
    const both = [...named(`only-${index}`), ...named(runId)];
    await world.createRuns([newRun(`loser-${index}`, { names: both })], NOW);
    await world.createRuns([newRun(`late-${index}`, { names: named(`late-${index}`) })], NOW);
    await world.createRuns([newRun(runId, { lease: LEASE, names: named(runId), mail })], NOW);
    const claims = [taking("a", `a-${index}`), taking("b", "contested")];
    await world.commit([hold(runId, 1, [...claims, event("step_created", "s", "step")])], NOW);
    await world.deliver(
      [
        sent({ name: `a-${index}` }, `m1-${index}`),
        sent({ runId, id: "a" }, `m2-${index}`),
        sent({ name: "contested" }, `m3-${index}`),
        { ...sent({ runId }, `m4-${index}`), atEnd: true },
      ],
      NOW,
    );
  }
  for (let index = 0; index < 20; index++) {
    const ends = finish(`run-${index}`, 4, NOW);
    const output = { output: new Uint8Array(100), error: null };
    await world.commit(
      [{ ...ends, mailDone: index === 0 ? 23 : 3, run: { ...ends.run, ...output, endDone: 1 } }],
      NOW,
    );
    const runId = `late-${index}`;
    const request = { queues: [], runIds: [runId], owner: "w", claimId: CLAIM_ID, ttl: 1, now: NOW };
    await world.claim(claiming(request));
    // The name passes on to a run that ends as well.
    await world.commit([finish(runId, 1, NOW)], NOW);
    const names = named(runId).map((claim) => ({ ...claim, from: runId }));
    await world.createRuns([newRun(`next-${index}`, { lease: LEASE, names })], NOW);
    await world.commit([finish(`next-${index}`, 1, NOW)], NOW);
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
    expect(await deleteOldRuns(world, NOW + 1)).toBe(60);
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
    (dying) =>
      dying.createRuns([newRun("never", { names: [...named("order-1"), ...named("order-2")] })], NOW),
    (dying) => dying.commit([hold("run-1", 1, [taking("a", "token")])], NOW),
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
  const kept = ["d:", "j:never", "meta", "n:never", "names", "listed", "r:never", "s:p", "w:", "q:"];
  expect(left.filter((name) => !kept.some((known) => name.startsWith(known)))).toEqual([]);
});

it("what is old goes where the memory is full", { timeout: 60_000 }, async () => {
  await using server = await startRedis({ settings: { appendonly: "no", "maxmemory-policy": "noeviction" } });
  const world = await openWorld({ url: server.url });
  await fill(world);
  // One that was announced and never created.
  await world.createRuns([newRun("run-20", { names: named("order-1") })], NOW);
  const client = connectTo(server.url);
  await client.zadd("perdure{0}:unborn", 1, "never");
  await client.hset("perdure{0}:n:never", "=never", `P${"m".repeat(16)}`);
  await client.config("SET", "maxmemory", "1");
  await expect(world.createRuns([newRun("run-21")], NOW)).rejects.toThrow("out of memory");
  // Who deletes them may have to open the store first.
  const another = await openWorld({ url: server.url });
  expect(await deleteOldRuns(another, NOW + 1)).toBe(60);
  const left = (await keysWith("", client)).filter((name) => /:([rjinmvgeh]|sent):|:unborn/.test(name));
  expect(left.filter((name) => !name.endsWith("run-20"))).toEqual([]);
});
