import type { World } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, finish, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { openWorld, temporaryDatabase } from "./store.ts";

/** Deletion that meets a start of the same id or key, a reader, or another deletion. */

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
const startKey = { key: "order", fingerprint: "f", expiresAt: null };
const large = new Uint8Array(20_000).fill(7);
const created = (data: Uint8Array) => ({ ...event("run_created"), data });
const old = { completedBefore: NOW + 1, limit: 10 };

/** A run that has ended, with a large input, a large result, mail and a start key. */
async function ended(world: World, runId: string): Promise<void> {
  await world.createRuns([newRun(runId, { lease, startKey, event: created(large) })], NOW);
  await world.deliver([{ messageId: `m-${runId}`, to: { runId }, type: "wake", at: NOW, data: large }], NOW);
  const commit = finish(runId, 1, NOW);
  await world.commit([{ ...commit, mailDone: 1, run: { ...commit.run, output: large } }], NOW);
}

const POINTS = [
  "hide old runs",
  "delete mail of runs",
  "delete hooks of runs",
  "find values of runs",
  "delete values of runs",
  "find keys of runs",
  "delete keys of runs",
  "delete runs",
];

test.each(POINTS)('a deletion that stands still before "%s" while its run is started anew', async (point) => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await ended(world, "run");
  const second = newRun("run", { lease, startKey, event: created(large.toReversed()) });
  const slow = await meetingAt(database, point, async () => {
    // Before the run is hidden it is still there, and the start is answered by it.
    if (point !== "hide old runs") await world.createRuns([second], NOW);
  });
  await slow.deleteRuns(old);
  await world.createRuns([second], NOW);

  expect((await world.listEvents("run", 0, 10))[0]?.data).toEqual(second.event.data);
  expect(await world.createRuns([newRun("other", { startKey })], NOW)).toMatchObject([
    { outcome: "exists", run: { runId: "run" } },
  ]);
  await checkInvariants(world);
});

test.each(POINTS)('a start over a run whose deletion died before "%s"', async (point) => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await ended(world, "run");
  const dying = await meetingAt(database, point, () => Promise.reject(new Error("dead")));
  await expect(dying.deleteRuns(old)).rejects.toThrow("dead");
  await world.createRuns([newRun("run", { lease, event: created(large) })], NOW);
  expect((await world.listEvents("run", 0, 10))[0]?.data).toEqual(large);
  await world.deleteRuns(old);
  await checkInvariants(world);
});

test("a run that is deleted under its reader is gone, not completed with nothing", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const reading = async () => {
    await ended(world, "run");
    return meetingAt(database, "find values", async () => {
      await world.deleteRuns(old);
    });
  };
  expect(await (await reading()).getRuns(["run"])).toEqual([null]);
  expect((await (await reading()).listRuns({ limit: 10 })).runs).toEqual([]);
  expect(await (await reading()).listEvents("run", 0, 10)).toEqual([]);
  expect(await count(database, "perdure_values")).toBe(0);
});

test("the mark of a start that died stays as long as its key, so that it cannot run beside the winner", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let reached = () => {};
  const standing = new Promise<void>((resolve) => {
    reached = resolve;
  });
  const slow = await meetingAt(database, "insert run", () => {
    reached();
    return gate;
  });
  const starting = slow.createRuns([newRun("slow", { startKey })], NOW);
  await standing;
  expect(await world.createRuns([newRun("winner", { startKey, lease })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
  expect(await world.deleteRuns({ completedBefore: NOW + 1e9, limit: 10 })).toBe(0);
  go();
  expect(await starting).toMatchObject([{ outcome: "exists", run: { runId: "winner" } }]);
  expect((await world.claim(claiming({ claimId: "claim-2" }))).runs).toEqual([]);

  await world.commit([finish("winner", 1, NOW)], NOW);
  expect(await world.deleteRuns(old)).toBe(1);
  for (const name of ["perdure_runs", "perdure_startkeys"]) expect(await count(database, name)).toBe(0);
});

test("a run whose id bore the mark of a dead start stays when the run that took its key is deleted", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const dying = await meetingAt(database, "insert run", () => Promise.reject(new Error("dead")));
  await expect(dying.createRuns([newRun("marked", { startKey })], NOW)).rejects.toThrow("dead");
  await world.createRuns([newRun("winner", { startKey, lease })], NOW);
  expect(await world.createRuns([newRun("marked")], NOW)).toMatchObject([{ outcome: "created" }]);
  await world.commit([finish("winner", 1, NOW)], NOW);
  expect(await world.deleteRuns(old)).toBe(1);
  expect(await world.getRuns(["winner", "marked"])).toMatchObject([null, { status: "pending", seq: 1 }]);
  await checkInvariants(world);
});

test("starts that come to nothing and commits that are refused leave no values behind", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("first", { lease, startKey, event: created(large) })], NOW);
  for (let again = 0; again < 3; again++) {
    await world.createRuns([newRun(`again-${again}`, { startKey, event: created(large) })], NOW);
    await world.createRuns(
      [newRun(`other-${again}`, { startKey: { ...startKey, fingerprint: "g" }, event: created(large) })],
      NOW,
    );
  }
  // Started again, beside one that is new.
  const plain = (runId: string) => newRun(runId, { event: created(large) });
  await world.createRuns([plain("second")], NOW);
  for (const other of ["third", "fourth"]) await world.createRuns([plain("second"), plain(other)], NOW);
  const value = { ...event("step_completed", "s"), data: large };
  await world.commit([{ ...hold("first", 1, [value]), epoch: 9 }, hold("unknown", 1, [value])], NOW);
  expect(await count(database, "perdure_values")).toBe(4);
  for (const runId of ["second", "third", "fourth"]) {
    expect((await world.listEvents(runId, 0, 10))[0]?.data).toEqual(large);
  }
});

/** A World that does `act` before an operation of that name, the first time. */
async function meetingAt(
  database: { url: string; db: string },
  operation: string,
  act: () => Promise<void>,
): Promise<World> {
  let first = true;
  return openWorld({
    ...database,
    beforeOperation: async (name) => {
      if (name !== operation || !first) return;
      first = false;
      await act();
    },
  });
}

async function count({ url, db }: { url: string; db: string }, name: string): Promise<number> {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return (await client.db(db).collection(name).find({}).toArray()).length;
}
