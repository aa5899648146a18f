import type { World } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { expect, test } from "vitest";
import { mongodbWorld } from "../src/index.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

/** Wishes for a token or a key whose process stopped half-way: others go on, and who was only slow learns of it. */

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };
const hook = (id: string) => event("hook_created", id, "token");

test("a token that a dead process was about to take goes to who asks for it", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("dead", { lease }), newRun("other", { lease })], NOW);
  const dying = await stoppingAt(database, "commit run", () => Promise.reject(new Error("dead")));
  await expect(dying.commit([hold("dead", 1, [hook("h1")])], NOW)).rejects.toThrow("dead");

  expect(await world.getHookByToken("token")).toBeNull();
  const commit = hold("other", 1, [hook("h2")]);
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
  expect(await world.getHookByToken("token")).toMatchObject({ runId: "other", hookId: "h2" });
  // The dead one's commit, sent again by a process that lives.
  expect(await world.commit([hold("dead", 1, [hook("h1")])], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [{ hookId: "h1", runId: "other" }] },
  ]);
  await checkInvariants(world);
});

test("a process that is too slow to take its token gets a conflict", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("slow", { lease }), newRun("other", { lease })], NOW);
  const [gate, reached] = [signal(), signal()];
  const slow = await stoppingAt(database, "commit run", () => {
    reached.give();
    return gate.given;
  });
  const committing = slow.commit([hold("slow", 1, [hook("h1")])], NOW);
  await reached.given;
  expect(await world.commit([hold("other", 1, [hook("h2")])], NOW)).toMatchObject([{ conflicts: [] }]);
  gate.give();
  expect(await committing).toMatchObject([
    { outcome: "committed", conflicts: [{ hookId: "h1", runId: "other" }] },
  ]);
  await checkInvariants(world);
});

test("two runs that want two tokens in opposite order both come to an end", async () => {
  const database = await temporaryDatabase();
  const worlds = [await openWorld(database), await openWorld(database)] as const;
  for (let round = 0; round < 5; round++) {
    const runs = [`a${round}`, `b${round}`] as const;
    await worlds[0].createRuns(
      runs.map((runId) => newRun(runId, { lease })),
      NOW,
    );
    const wish = (name: string) => event("hook_created", `hook ${name}`, `${name}${round}`);
    const results = await Promise.all([
      worlds[0].commit([hold(runs[0], 1, [wish("x"), wish("y")])], NOW),
      worlds[1].commit([hold(runs[1], 1, [wish("y"), wish("x")])], NOW),
    ]);
    const conflicts = results
      .flat()
      .flatMap((result) => (result.outcome === "committed" ? result.conflicts : []));
    expect(conflicts).toHaveLength(2);
  }
  await checkInvariants(worlds[0]);
});

test("a key of a start that died goes to the next start", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const startKey = { key: "order", fingerprint: "f", expiresAt: null };
  const dying = await stoppingAt(database, "insert run", () => Promise.reject(new Error("dead")));
  await expect(dying.createRuns([newRun("dead", { startKey })], NOW)).rejects.toThrow("dead");

  expect(await world.createRuns([newRun("other", { startKey })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
  // The dead one's start, sent again.
  expect(await world.createRuns([newRun("dead", { startKey })], NOW)).toMatchObject([
    { outcome: "exists", run: { runId: "other" } },
  ]);
  expect(await world.getRuns(["dead"])).toEqual([null]);
  expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(1);
  expect(await world.deleteRuns(["dead"])).toBe(0);
  await checkInvariants(world);
});

test("a start that is too slow for its key gets the run of another", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const startKey = { key: "order", fingerprint: "f", expiresAt: null };
  const [gate, reached] = [signal(), signal()];
  const slow = await stoppingAt(database, "insert run", () => {
    reached.give();
    return gate.given;
  });
  const starting = slow.createRuns([newRun("slow", { startKey })], NOW);
  await reached.given;
  expect(await world.createRuns([newRun("other", { startKey })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
  gate.give();
  expect(await starting).toMatchObject([{ outcome: "exists", run: { runId: "other" } }]);
  await checkInvariants(world);
});

test("an id whose start was burnt can be started once the key is free", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const startKey = { key: "order", fingerprint: "f", expiresAt: NOW };
  const dying = await stoppingAt(database, "insert run", () => Promise.reject(new Error("dead")));
  await expect(dying.createRuns([newRun("dead", { startKey })], NOW)).rejects.toThrow("dead");
  await world.createRuns([newRun("other", { startKey, lease })], NOW);
  const ends = {
    ...hold("other", 1, [event("run_completed")]),
    run: { status: "completed", completedAt: NOW },
    lease: { type: "finish" },
  } as const;
  await world.commit([ends], NOW);
  expect(await world.createRuns([newRun("dead", { startKey })], NOW)).toMatchObject([{ outcome: "created" }]);
  expect(await world.getRuns(["dead"])).toMatchObject([{ status: "pending", seq: 1 }]);
  await checkInvariants(world);
});

test("a commit that was written with others, and whose run has another owner since, is told as committed", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("parks", { lease }), newRun("fenced", { lease })], NOW);
  const claim = async () => {
    const { runs } = await world.claim(claiming({ limit: 1, owner: "other", claimId: "claim-2" }));
    expect(runs.map(({ run }) => run.runId)).toEqual(["parks"]);
  };
  // Between the update of both and the look at what became of each.
  const slow = await stoppingAt(database, "find runs", claim);
  const parks = hold("parks", 1, [event("step_created", "s")]);
  const results = await slow.commit(
    [
      { ...parks, lease: { type: "park", dueAt: NOW } },
      { ...hold("fenced", 1, [event("step_created", "s")]), epoch: 9 },
    ],
    NOW,
  );
  expect(results.map(({ outcome }) => outcome)).toEqual(["committed", "fenced"]);
  await checkInvariants(world);
});

/** Something that one side gives once, and the other waits for. */
function signal(): { give(): void; readonly given: Promise<void> } {
  let give = () => {};
  const given = new Promise<void>((resolve) => {
    give = resolve;
  });
  return { give, given };
}

/** A World that does `act` before an operation of that name, the first time. */
async function stoppingAt(
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

test("the probe of these tests names operations that there are", async () => {
  const seen = new Set<string>();
  const database = await temporaryDatabase();
  const world = mongodbWorld({
    ...database,
    clock: "caller",
    beforeOperation: (name) => void seen.add(name),
  });
  await world.open();
  const startKey = { key: "order", fingerprint: "f", expiresAt: null };
  await world.createRuns([newRun("run", { lease, startKey })], NOW);
  await world.commit([hold("run", 1, [hook("h")])], NOW);
  await world.close();
  expect(seen).toContain("commit run");
  expect(seen).toContain("insert run");
});
