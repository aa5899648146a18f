import type { World } from "@perdure/core/world";
import { claiming, event, finish, firstClaim, hold, NOW, newRun } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** Deletion that meets a start of the same id or name, a reader, or another deletion. */

const names = [firstClaim("order", { keepFor: null, data: new Uint8Array(20_000).fill(5) })];
const large = new Uint8Array(20_000).fill(7);
const created = (data: Uint8Array) => [{ ...event("run_created"), data }];

/** A run that has ended, with a large input, a large result, mail and a name. */
async function ended(world: World, runId: string): Promise<void> {
  await world.createRuns([newRun(runId, { lease, names, events: created(large) })], NOW);
  await world.deliver([{ messageId: `m-${runId}`, to: { runId }, type: "wake", at: NOW, data: large }], NOW);
  const commit = finish(runId, 1, NOW);
  await world.commit([{ ...commit, mailDone: 1, run: { ...commit.run, output: large } }], NOW);
}

const POINTS = [
  "hide runs",
  "delete mail of runs",
  "delete names of runs",
  "find values of runs",
  "delete values of runs",
  "delete runs",
];

test.each(POINTS)('a deletion that stands still before "%s" while its run is started anew', async (point) => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await ended(world, "run");
  const second = newRun("run", { lease, names, events: created(large.toReversed()) });
  const slow = await meetingAt(database, point, async () => {
    // Before the run is hidden it is still there, and the start is answered by it.
    if (point !== "hide runs") await world.createRuns([second], NOW);
  });
  await slow.deleteRuns(["run", "winner"]);
  await world.createRuns([second], NOW);

  expect((await world.listEvents("run", 0, 10))[0]?.data).toEqual(second.events[0]?.data);
  expect(await world.createRuns([newRun("other", { names })], NOW)).toMatchObject([
    { outcome: "held", run: { runId: "run" } },
  ]);
  await checkInvariants(world);
});

test.each(POINTS)('a start over a run whose deletion died before "%s"', async (point) => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await ended(world, "run");
  const dying = await meetingAt(database, point, () => Promise.reject(new Error("dead")));
  await expect(dying.deleteRuns(["run", "winner"])).rejects.toThrow("dead");
  await world.createRuns([newRun("run", { lease, events: created(large) })], NOW);
  expect((await world.listEvents("run", 0, 10))[0]?.data).toEqual(large);
  await world.deleteRuns(["run", "winner"]);
  await checkInvariants(world);
});

test("a run that is deleted under its reader is gone, not completed with nothing", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const reading = async () => {
    await ended(world, "run");
    return meetingAt(database, "find values", async () => {
      await world.deleteRuns(["run", "winner"]);
    });
  };
  expect(await (await reading()).getRuns(["run"])).toEqual([null]);
  expect((await (await reading()).listRuns({ limit: 10, payloads: true })).runs).toEqual([]);
  expect(await (await reading()).listEvents("run", 0, 10)).toEqual([]);
  expect(await count(database, "perdure_values")).toBe(0);
});

test("a start that is under way while runs are deleted begins anew, and one that died leaves nothing", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const mail = [{ messageId: "m", id: "order", type: "hook_received", at: NOW, data: large }];
  const start = newRun("run", { names, mail, events: created(large) });
  for (const point of ["insert names", "insert messages", "publish runs"]) {
    const slow = await meetingAt(database, point, async () => {
      expect(await world.deleteRuns(["run"])).toBe(0);
    });
    expect(await slow.createRuns([start], NOW)).toEqual([{ outcome: "created", lease: null }]);
    expect(await world.listMail([{ runId: "run", after: 0 }])).toMatchObject([
      [{ messageId: "m", data: large }],
    ]);
    await checkInvariants(world);
    await end(world, "run");

    const dying = await meetingAt(database, point, () => Promise.reject(new Error("dead")));
    await expect(dying.createRuns([start], NOW)).rejects.toThrow("dead");
    expect(await world.deleteRuns(["none"])).toBe(0);
    for (const name of ["runs", "names", "mail", "values"]) {
      expect(await count(database, `perdure_${name}`), `${name} after ${point}`).toBe(0);
    }
  }
});

test("a draft that is being removed cannot become a run", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const mail = [{ messageId: "m", id: "order", type: "hook_received", at: NOW, data: large }];
  let go = () => {};
  const gate = new Promise<void>((resolve) => {
    go = resolve;
  });
  let starting: Promise<unknown> | undefined;
  const removing = await meetingAt(database, "delete mail of runs", async () => {
    go();
    await starting;
  });
  await new Promise<void>((reached) => {
    starting = meetingAt(database, "publish runs", () => {
      reached();
      return gate;
    }).then((slow) => slow.createRuns([newRun("run", { names, mail })], NOW));
  });
  expect(await removing.deleteRuns(["none"])).toBe(0);
  expect(await starting).toMatchObject([{ outcome: "created" }]);
  expect(await world.listMail([{ runId: "run", after: 0 }])).toMatchObject([
    [{ messageId: "m", data: large }],
  ]);
  expect(await world.getNames(["order"], NOW)).toMatchObject([{ runId: "run" }]);
  await checkInvariants(world);
});

test("a run that has work left is not deleted", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns(
    ["owned", "due", "done"].map((runId) => newRun(runId, { lease })),
    NOW,
  );
  const ends = (runId: string) => finish(runId, 1, NOW);
  await world.commit(
    [
      { ...ends("owned"), lease: { type: "hold", ttl: 1_000 } },
      { ...ends("due"), lease: { type: "park", dueAt: NOW + 1_000_000 } },
      ends("done"),
    ],
    NOW,
  );
  expect(await world.deleteRuns(["owned", "due", "done"])).toBe(1);
  await world.commit([{ ...hold("owned", 2, []), lease: { type: "park", dueAt: null } }], NOW);
  expect(await world.deleteRuns(["owned", "due"])).toBe(1);
  expect(await world.getRuns(["owned", "due"])).toMatchObject([null, { status: "completed" }]);
});

test("starts that come to nothing and commits that are refused leave no values behind", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("first", { lease, names, events: created(large) })], NOW);
  for (let again = 0; again < 3; again++) {
    await world.createRuns([newRun(`again-${again}`, { names, events: created(large) })], NOW);
  }
  // Started again, beside one that is new.
  const plain = (runId: string) => newRun(runId, { events: created(large) });
  await world.createRuns([plain("second")], NOW);
  for (const other of ["third", "fourth"]) await world.createRuns([plain("second"), plain(other)], NOW);
  const value = { ...event("step_completed", "s"), data: large };
  await world.commit([{ ...hold("first", 1, [value]), epoch: 9 }, hold("unknown", 1, [value])], NOW);
  expect(await count(database, "perdure_values")).toBe(5);
  for (const runId of ["second", "third", "fourth"]) {
    expect((await world.listEvents(runId, 0, 10))[0]?.data).toEqual(large);
  }
});

/** Ends a run and deletes it. */
async function end(world: World, runId: string): Promise<void> {
  const { runs } = await world.claim(claiming({ runIds: [runId] }));
  const commit = { ...finish(runId, 1, NOW), mailDone: runs[0]?.run.mailSeq ?? 0 };
  await world.commit([commit], NOW);
  expect(await world.deleteRuns([runId])).toBe(1);
}

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
