import type { World } from "@perdure/core/world";
import { event, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { type BSON, MongoClient } from "mongodb";
import { expect, test } from "vitest";
import { startProxy, type Proxy as Wire } from "./proxy.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/**
 * A primary that has lost an election and does not know it yet: it answers reads from what it had, and gets no majority
 * for a write. In these tests every `find` is answered from a moment of the past until the client sends a write.
 */

const hook = (id: string) => taking(id, "token");

test("a healthy owner is not fenced", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("run", { lease })], NOW);
  await stale(() => world.commit([hold("run", 1, [event("step_created", "s")])], NOW));
  expect(await behind.commit([hold("run", 2, [hook("h")])], NOW)).toMatchObject([{ outcome: "committed" }]);
});

test("a commit to a run that the old primary has never heard of is not finished", async () => {
  const { world, behind, stale } = await stores();
  await stale(() => world.createRuns([newRun("run", { lease })], NOW));
  expect(await behind.commit([hold("run", 1, [hook("h")])], NOW)).toMatchObject([{ outcome: "committed" }]);
});

test("a commit that is in already is known although the old primary does not have it", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("run", { lease })], NOW);
  const commit = hold("run", 1, [hook("h")]);
  await stale(() => world.commit([commit], NOW));
  expect(await behind.commit([commit], NOW)).toMatchObject([{ outcome: "committed" }]);
  await checkInvariants(world);
});

test("a message to a name or a run that was just made arrives", async () => {
  const { world, behind, stale } = await stores();
  await stale(async () => {
    await world.createRuns([newRun("run", { lease })], NOW);
    await world.commit([hold("run", 1, [hook("h")])], NOW);
  });
  const results = await behind.deliver(
    [
      { messageId: "m1", to: { name: "token" }, type: "hook_received", at: NOW, data: null },
      { messageId: "m2", to: { runId: "run" }, type: "wake", at: NOW, data: null },
    ],
    NOW,
  );
  expect(results.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered"]);
});

test("a name that was just taken is found", async () => {
  const { world, behind, stale } = await stores();
  await stale(async () => {
    await world.createRuns([newRun("run", { lease })], NOW);
    await world.commit([hold("run", 1, [hook("h")])], NOW);
  });
  expect(await behind.getNames(["token"], NOW)).toMatchObject([{ runId: "run" }]);
});

test("a name is not taken from its owner", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("other", { lease })], NOW);
  await stale(async () => {
    await world.createRuns([newRun("owner", { lease })], NOW);
    await world.commit([hold("owner", 1, [hook("h")])], NOW);
  });
  expect(await behind.commit([hold("other", 1, [hook("g")])], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [{ id: "g", runId: "owner" }] },
  ]);
  await checkInvariants(world);
});

test("a name that was just released is no conflict", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("other", { lease }), newRun("owner", { lease })], NOW);
  await world.commit([hold("owner", 1, [hook("h")])], NOW);
  await stale(() => world.commit([hold("owner", 2, [releasing("h")])], NOW));
  expect(await behind.commit([hold("other", 1, [hook("g")])], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [] },
  ]);
  await checkInvariants(world);
});

test("a start is not refused for a name that was just released, and is for one that was just taken", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("owner", { lease })], NOW);
  await world.commit([hold("owner", 1, [hook("h")])], NOW);
  await stale(() => world.commit([hold("owner", 2, [releasing("h"), taking("g", "other")])], NOW));
  const start = (runId: string, name: string) => newRun(runId, { names: [firstClaim(name)] });
  expect(await behind.createRuns([start("a", "token"), start("b", "other")], NOW)).toMatchObject([
    { outcome: "created" },
    { outcome: "held", name: { name: "other", runId: "owner" } },
  ]);
  await checkInvariants(world);
});

test("a message that was just delivered keeps its document", async () => {
  const { world, behind, stale } = await stores();
  await world.createRuns([newRun("other", { lease })], NOW);
  const message = { messageId: "m", to: { runId: "run" }, type: "wake", at: NOW, data: null } as const;
  await stale(async () => {
    await world.createRuns([newRun("run", { lease })], NOW);
    await world.deliver([message], NOW);
  }, "perdure_runs");
  expect(await behind.deliver([message], NOW)).toMatchObject([{ outcome: "delivered" }]);
  expect(await world.listMail([{ runId: "run", after: 0 }])).toMatchObject([[{ messageId: "m" }]]);
});

interface Stores {
  readonly world: World;
  /** A World whose server is behind. */
  readonly behind: World;
  /** Does something of which the server that is behind does not know until it is written to. */
  stale(act: () => Promise<unknown>, only?: string): Promise<void>;
}

async function stores(): Promise<Stores> {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const proxy = await startProxy(database.url);
  const behind = await openWorld({ ...database, url: proxy.url });
  return {
    world,
    behind,
    async stale(act, only) {
      const before = await contents(database);
      await act();
      answerFrom(proxy, before, only);
    },
  };
}

/** All that is stored now, by collection. */
async function contents({ url, db }: { url: string; db: string }) {
  const client = new MongoClient(url);
  const names = ["perdure_runs", "perdure_names", "perdure_mail"];
  const found = await Promise.all(
    names.map(async (name) => [name, await client.db(db).collection(name).find({}).toArray()] as const),
  );
  await client.close();
  return new Map<string, readonly BSON.Document[]>(found);
}

function answerFrom(proxy: Wire, past: ReadonlyMap<string, readonly BSON.Document[]>, only?: string): void {
  const caughtUp = new Set<string>();
  proxy.inject((name, command) => {
    const collection: string = command[name];
    if (name === "update" || name === "insert") caughtUp.add(collection);
    if (name !== "find" || caughtUp.has(collection) || (only !== undefined && collection !== only))
      return undefined;
    const ids: readonly unknown[] = command.filter._id?.$in ?? [command.filter._id];
    const firstBatch = (past.get(collection) ?? []).filter(({ _id }) => ids.includes(_id));
    return {
      type: "refuse",
      answer: { ok: 1, cursor: { id: 0n, ns: `${command.$db}.${collection}`, firstBatch } },
    };
  });
}
