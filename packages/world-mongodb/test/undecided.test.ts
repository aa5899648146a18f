import type { CommitEvent, CreateRun, FirstMail, World } from "@perdure/core/world";
import {
  claiming,
  event,
  finish,
  firstClaim,
  hold,
  NOW,
  newRun,
  releasing,
  taking,
} from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { mongodbWorld } from "../src/index.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** Claims of names whose process stopped half-way: others go on, and who was only slow learns of it. */

const hook = (id: string) => taking(id, "token");
/** A start that wants these names. */
const wanting = (runId: string, names: readonly string[], change: Partial<CreateRun> = {}) =>
  newRun(runId, { names: names.map((name) => firstClaim(name)), ...change });

test("a name that a dead process was about to take goes to who asks for it", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("dead", { lease }), newRun("other", { lease })], NOW);
  const dying = await stoppingAt(database, "commit run", () => Promise.reject(new Error("dead")));
  await expect(dying.commit([hold("dead", 1, [hook("h1")])], NOW)).rejects.toThrow("dead");

  expect(await world.getNames(["token"], NOW)).toEqual([null]);
  const commit = hold("other", 1, [hook("h2")]);
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
  expect(await world.getNames(["token"], NOW)).toMatchObject([{ runId: "other", id: "h2" }]);
  // The dead one's commit, sent again by a process that lives.
  expect(await world.commit([hold("dead", 1, [hook("h1")])], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [{ id: "h1", runId: "other" }] },
  ]);
  await checkInvariants(world);
});

test("a process that is too slow to take its name gets a conflict", async () => {
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
    { outcome: "committed", conflicts: [{ id: "h1", runId: "other" }] },
  ]);
  await checkInvariants(world);
});

test("two runs that want two names in opposite order both come to an end", async () => {
  const database = await temporaryDatabase();
  const worlds = [await openWorld(database), await openWorld(database)] as const;
  for (let round = 0; round < 5; round++) {
    const runs = [`a${round}`, `b${round}`] as const;
    await worlds[0].createRuns(
      runs.map((runId) => newRun(runId, { lease })),
      NOW,
    );
    const wish = (name: string) => taking(`hook ${name}`, `${name}${round}`);
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

/** Before each of these a start that wants two names and has a message may die. */
const POINTS = ["insert runs", "insert names", "insert messages", "publish runs"];

test.each(POINTS)('names and messages of a start that died before "%s" go to the next one', async (point) => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const mail = [{ messageId: "m", id: "x", type: "hook_received", at: NOW, data: null }];
  const dying = await stoppingAt(database, point, () => Promise.reject(new Error("dead")));
  const start = wanting("dead", ["x", "y"], { mail });
  await expect(dying.createRuns([start], NOW)).rejects.toThrow("dead");

  expect(await world.getNames(["x", "y"], NOW)).toEqual([null, null]);
  expect(await world.createRuns([wanting("other", ["y", "x"], { mail })], NOW)).toMatchObject([
    { outcome: "created" },
  ]);
  expect(await world.listMail([{ runId: "other", after: 0 }])).toMatchObject([[{ messageId: "m" }]]);
  // The dead one's start, sent again.
  expect(await world.createRuns([start], NOW)).toMatchObject([
    { outcome: "held", name: { name: "x" }, run: { runId: "other" } },
  ]);
  expect(await world.getRuns(["dead"])).toEqual([null]);
  expect((await world.listRuns({ limit: 10 })).runs).toHaveLength(1);
  expect(await world.deleteRuns(["dead"])).toBe(0);
  await checkInvariants(world);
  expect(await count(database, "perdure_runs")).toBe(1);
  expect(await count(database, "perdure_names")).toBe(2);
});

test.each(POINTS)(
  'a message of a start that died before "%s" can be sent to who has the name',
  async (point) => {
    const database = await temporaryDatabase();
    const world = await openWorld(database);
    const mail = [{ messageId: "m", id: "x", type: "hook_received", at: NOW, data: null }];
    const dying = await stoppingAt(database, point, () => Promise.reject(new Error("dead")));
    await expect(dying.createRuns([wanting("dead", ["x"], { mail })], NOW)).rejects.toThrow("dead");
    const message = { messageId: "m", to: { name: "x" }, type: "hook_received", at: NOW, data: null };
    expect(await world.deliver([message], NOW)).toEqual([{ outcome: "no_such_name" }]);
    await world.createRuns([wanting("other", ["x"])], NOW);
    expect(await world.deliver([message], NOW)).toEqual([{ outcome: "delivered", runId: "other", id: "x" }]);
    expect(
      await world.createRuns(
        [wanting("third", ["y"], { mail: [{ ...mail[0], id: "y" } as FirstMail] })],
        NOW,
      ),
    ).toEqual([{ outcome: "mailed", messageId: "m", runId: "other" }]);
    expect(await world.getNames(["y"], NOW)).toEqual([null]);
    await checkInvariants(world);
  },
);

test.each(["publish runs", "insert messages"])(
  'a start that is too slow before "%s" gets the run of another',
  async (point) => {
    const database = await temporaryDatabase();
    const world = await openWorld(database);
    const mail = [{ messageId: "m", id: "x", type: "hook_received", at: NOW, data: null }];
    const [gate, reached] = [signal(), signal()];
    const slow = await stoppingAt(database, point, () => {
      reached.give();
      return gate.given;
    });
    const starting = slow.createRuns([wanting("slow", ["x", "y"], { mail })], NOW);
    await reached.given;
    expect(await world.createRuns([wanting("other", ["y"])], NOW)).toMatchObject([{ outcome: "created" }]);
    gate.give();
    expect(await starting).toMatchObject([{ outcome: "held", name: { name: "y" }, run: { runId: "other" } }]);
    expect(await world.getNames(["x"], NOW)).toEqual([null]);
    await checkInvariants(world);
    expect(await count(database, "perdure_mail")).toBe(0);
  },
);

test("a message that is first mail of a slow start and is sent to the name meanwhile is in one mailbox, once", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const message = { messageId: "m", type: "hook_received", at: NOW, data: new Uint8Array([1]) };
  const start = wanting("slow", ["x"], { mail: [{ ...message, id: "x" }] });
  const [gate, reached] = [signal(), signal()];
  const slow = await stoppingAt(database, "publish runs", () => {
    reached.give();
    return gate.given;
  });
  const starting = slow.createRuns([start], NOW);
  await reached.given;
  expect(await world.deliver([{ ...message, to: { name: "x" } }], NOW)).toEqual([
    { outcome: "no_such_name" },
  ]);
  gate.give();
  expect(await starting).toMatchObject([{ outcome: "created" }]);
  expect(await world.listMail([{ runId: "slow", after: 0 }])).toMatchObject([[message]]);
  expect(await world.deliver([{ ...message, to: { name: "x" } }], NOW)).toMatchObject([
    { outcome: "delivered" },
  ]);
  expect(await world.getRuns(["slow"])).toMatchObject([{ mailSeq: 1 }]);
  await checkInvariants(world);
});

test("starts and commits that want the same names in opposite order all come to an end", async () => {
  const database = await temporaryDatabase();
  const worlds = [await openWorld(database), await openWorld(database)] as const;
  for (let round = 0; round < 5; round++) {
    const [x, y] = [`x${round}`, `y${round}`];
    await worlds[0].createRuns([newRun(`c${round}`, { lease })], NOW);
    const [[first], [second], [commit]] = await Promise.all([
      worlds[0].createRuns([wanting(`a${round}`, [x, y])], NOW),
      worlds[1].createRuns([wanting(`b${round}`, [y, x])], NOW),
      worlds[0].commit([hold(`c${round}`, 1, [taking("h1", y), taking("h2", x)])], NOW),
    ]);
    const holders = new Set((await worlds[1].getNames([x, y], NOW)).map((held) => held?.runId));
    expect(holders.size).toBeLessThan(3);
    for (const answer of [first, second]) {
      if (answer?.outcome === "held") expect(holders).toContain(answer.run.runId);
    }
    const made = [first, second].filter((answer) => answer?.outcome === "created").length;
    const conflicts = commit?.outcome === "committed" ? commit.conflicts.length : 0;
    expect(conflicts, "a start has both names or none").toBe(2 * made);
  }
  await checkInvariants(worlds[0]);
});

test("a name that was asked for in vain is where it was", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const before = { fingerprint: "f", data: new Uint8Array([7]), keepFor: null };
  await world.createRuns(
    [newRun("ended", { names: [firstClaim("x", before)], lease }), wanting("holder", ["y"])],
    NOW,
  );
  await world.commit([finish("ended", 1, NOW)], NOW);
  const held = await world.getNames(["x"], NOW);
  const names = [firstClaim("x", { from: "ended" }), firstClaim("y")];
  expect(await world.createRuns([newRun("next", { names })], NOW)).toMatchObject([
    { outcome: "held", name: { name: "y" }, run: { runId: "holder" } },
  ]);
  expect(await world.getNames(["x"], NOW)).toEqual(held);

  const dying = await stoppingAt(database, "publish runs", () => Promise.reject(new Error("dead")));
  const passing = newRun("next", { names: names.slice(0, 1) });
  await expect(dying.createRuns([passing], NOW)).rejects.toThrow("dead");
  expect(await world.getNames(["x"], NOW)).toEqual(held);
  expect((await world.listNames({ runId: "ended", limit: 10, now: NOW })).names).toEqual(held);
  expect(await world.createRuns([wanting("other", ["x"])], NOW)).toMatchObject([
    { outcome: "held", name: { name: "x" }, run: { runId: "ended" } },
  ]);
  // Deleting the draft gives the name back, too.
  await world.deleteRuns(["none"]);
  expect(await count(database, "perdure_runs")).toBe(2);
  expect(await world.getNames(["x"], NOW)).toEqual(held);
  expect(await world.createRuns([passing], NOW)).toMatchObject([{ outcome: "created" }]);
  expect(await world.getNames(["x"], NOW)).toMatchObject([{ runId: "next", data: null }]);
  expect((await world.listNames({ runId: "ended", limit: 10, now: NOW })).names).toEqual([]);
  await checkInvariants(world);
});

test.each(["delete names", "delete mail of runs", "delete names of runs"])(
  'a name that has passed on does not come back when a process dies before "%s"',
  async (point) => {
    const database = await temporaryDatabase();
    const world = await openWorld(database);
    await world.createRuns([newRun("first", { names: [firstClaim("x", { keepFor: null })], lease })], NOW);
    await world.commit([finish("first", 1, NOW)], NOW);
    const names = [firstClaim("x", { from: "first", keepFor: point === "delete names" ? 0 : null })];
    await world.createRuns([newRun("second", { names, lease })], NOW);
    const dying = await stoppingAt(database, point, () => Promise.reject(new Error("dead")));
    const ending = dying.commit([finish("second", 1, NOW)], NOW).then(() => dying.deleteRuns(["second"]));
    await expect(ending).rejects.toThrow("dead");
    expect(await world.getNames(["x"], NOW)).toEqual([null]);
    expect((await world.listNames({ runId: "first", limit: 10, now: NOW })).names).toEqual([]);
    expect(await world.createRuns([wanting("third", ["x"])], NOW)).toMatchObject([{ outcome: "created" }]);
    await checkInvariants(world);
  },
);

test("a run that releases a name and takes it again has the new claim, and has the old one until then", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const large = new Uint8Array(20_000);
  const claim = (id: string, fill: number) => {
    const { claim, ...rest } = taking(id, "token");
    return { ...rest, claim: { ...claim, data: large.map(() => fill) } } as CommitEvent;
  };
  await world.createRuns([newRun("run", { lease })], NOW);
  await world.commit([hold("run", 1, [claim("h1", 1)])], NOW);
  const commit = hold("run", 2, [releasing("h1"), claim("h2", 2), releasing("h2"), claim("h3", 3)]);
  const dying = await stoppingAt(database, "commit run", () => Promise.reject(new Error("dead")));
  await expect(dying.commit([commit], NOW)).rejects.toThrow("dead");
  expect(await world.getNames(["token"], NOW)).toMatchObject([{ id: "h1", data: large.map(() => 1) }]);
  expect(await world.commit([commit], NOW)).toMatchObject([{ outcome: "committed", conflicts: [] }]);
  expect(await world.getNames(["token"], NOW)).toMatchObject([{ id: "h3", data: large.map(() => 3) }]);
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
  const mail = [{ messageId: "m", id: "x", type: "hook_received", at: NOW, data: null }];
  await world.createRuns([wanting("run", ["x"], { lease, mail })], NOW);
  await world.commit([hold("run", 1, [hook("h")])], NOW);
  await world.close();
  for (const operation of [...POINTS, "commit run"]) expect(seen).toContain(operation);
});

async function count({ url, db }: { url: string; db: string }, name: string): Promise<number> {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return (await client.db(db).collection(name).find({}).toArray()).length;
}
