import { claiming, event, firstClaim, hold, NOW, newRun, releasing, taking } from "@perdure/testbed/requests";
import { checkInvariants } from "@perdure/world-testkit/invariants";
import { BSON } from "mongodb";
import { expect, test } from "vitest";
import { documents, lease, openWorld, temporaryDatabase } from "./store.ts";

/** What of a journal stays in the run document, what leaves it, and how it reads. */

const COLLECTIONS = ["perdure_runs", "perdure_events", "perdure_values", "perdure_mail", "perdure_names"];

test("a long journal leaves the run document in segments, and reads as one", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  for (let index = 0; index < 60; index++) await world.commit([step(index)], NOW);

  const [run] = await documents(database, "perdure_runs");
  const segments = await documents(database, "perdure_events");
  expect(segments.length).toBeGreaterThan(1);
  expect(run?.tailSize).toBeLessThan(40_000);
  expect(Object.keys(run?.tail as object).length).toBeLessThan(30);

  const other = await openWorld(database);
  const journal = await other.listEvents("run", 0, 1_000);
  expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: 61 }, (_, index) => index + 1));
  for (const after of [0, 1, 17, 30, 59, 60, 61]) {
    expect(await other.listEvents("run", after, 7)).toEqual(journal.slice(after, after + 7));
  }
  const { runs } = await other.claim(claiming({ now: NOW + 60_000, claimId: "claim-2", eventLimit: 40 }));
  expect(runs[0]?.events).toEqual(journal.slice(0, 40));
  await checkInvariants(other);
});

test("a tail that was copied by who lost its lease is copied again, longer, and reads as one", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  for (let index = 0; index < 25; index++) await world.commit([step(index)], NOW);
  let copies = 0;
  const dying = await openWorld({
    ...database,
    beforeOperation(operation) {
      copies += operation === "insert events" ? 1 : 0;
      if (copies > 0 && operation === "commit run") throw new Error("dead");
    },
  });
  let index = 25;
  while (copies === 0) await dying.commit([step(index++)], NOW).catch(() => {});
  index--;
  for (let next = index; next < 60; next++) {
    expect(await world.commit([step(next)], NOW)).toMatchObject([{ outcome: "committed" }]);
  }
  const journal = await world.listEvents("run", 1, 1_000);
  expect(journal.map(({ id }) => id)).toEqual(Array.from({ length: 60 }, (_, step) => `step ${step}`));
  await checkInvariants(world);
});

test("a commit of many events, with names among them: every page of the journal is right", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease }), newRun("owner", { lease })], NOW);
  await world.commit([hold("owner", 1, [taking("h", "taken")])], NOW);
  const steps = (count: number, from: number) =>
    Array.from({ length: count }, (_, index) => event("step_created", `${from + index}`, "one"));
  const events = [
    ...steps(700, 0),
    taking("mine", "free"),
    ...steps(10, 700),
    taking("theirs", "taken"),
    ...steps(63, 710),
    releasing("mine"),
    ...steps(64, 773),
  ];
  const commit = hold("run", 1, events);
  const answer = [{ outcome: "committed", conflicts: [{ id: "theirs", runId: "owner" }] }];
  expect(await world.commit([commit], NOW)).toMatchObject(answer);
  expect(await world.commit([commit], NOW)).toMatchObject(answer);
  const end = 1 + events.length;
  await world.commit([hold("run", end, steps(600, 2_000))], NOW);

  const [run] = (await documents(database, "perdure_runs")).filter(({ _id }) => _id === "run");
  expect(Object.keys(run?.tail as object).length).toBeLessThan(100);
  const journal = await world.listEvents("run", 0, 5_000);
  expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: end + 600 }, (_, index) => index + 1));
  expect(journal.slice(1, end).map(({ id, type }) => [id, type])).toEqual(
    events.map(({ id, type }) => [id, id === "theirs" ? "hook_conflict" : type]),
  );
  for (const after of [0, 1, 256, 511, 512, 513, 700, 701, 775, 839, 840, end, end + 599, end + 600]) {
    for (const limit of [1, 70, 600]) {
      expect(await world.listEvents("run", after, limit)).toEqual(journal.slice(after, after + limit));
    }
  }
  await checkInvariants(world);
});

test("a thousand generations leave no more than the last one", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease, names: [firstClaim("counter")] })], NOW);
  const large = (seq: number) => new Uint8Array(17_000).fill(seq);
  let seq = 1;
  let sizes = { documents: 0, bytes: 0 };
  for (let generation = 1; generation <= 1_000; generation++) {
    // Every tenth is as long as to leave the run document, has large values, a name with large data, and a message.
    const long = generation % 10 === 0;
    const events = [{ ...event("run_created"), data: long ? large(seq) : null }];
    const now = NOW + generation * 3_600_000;
    const state = { run: { state: long ? large(seq) : null } };
    const mailDone = Math.floor((generation - 1) / 10);
    await world.commit([{ ...hold("run", seq, events), ...state, restart: true, mailDone }], now);
    seq++;
    if (!long) continue;
    const { claim, ...taken } = taking("data", "data");
    const names = [releasing("data"), { ...taken, ...(claim && { claim: { ...claim, data: large(seq) } }) }];
    await world.commit([{ ...hold("run", seq, names), mailDone }], now);
    const steps = Array.from({ length: 30 }, () => ({
      ...event("step_created"),
      data: new Uint8Array(2_000),
    }));
    await world.commit([{ ...hold("run", seq + 2, steps), mailDone }], now);
    await world.commit([{ ...hold("run", seq + 32, [event("x"), event("y")]), mailDone }], now);
    seq += 34;
    const message = { messageId: `m${generation}`, to: { runId: "run" }, type: "wake", at: now, data: null };
    await world.deliver([message], now);
    if (generation !== 10 && generation !== 1_000) continue;
    const all = (await Promise.all(COLLECTIONS.map((name) => documents(database, name)))).flat();
    const found = {
      documents: all.length,
      bytes: all.reduce((sum, each) => sum + BSON.calculateObjectSize(each), 0),
    };
    if (generation === 10) sizes = found;
    else {
      // The ids of the messages of a week stay, and those that the run document lists.
      expect(found.documents).toBeLessThan(sizes.documents + 100);
      expect(found.bytes).toBeLessThan(sizes.bytes + 30_000);
    }
  }
  expect(await world.getRuns(["run"])).toMatchObject([
    { generation: 1_000, firstSeq: seq - 34, seq, mailSeq: 100 },
  ]);
  const journal = await world.listEvents("run", 0, 100);
  expect(journal.map((each) => each.seq)).toEqual(Array.from({ length: 35 }, (_, index) => seq - 34 + index));
  expect(await world.getNames(["data"], NOW)).toMatchObject([{ runId: "run", data: large(seq - 34) }]);
  await checkInvariants(world);
}, 120_000);

function step(index: number) {
  const data = new Uint8Array(1_500);
  return hold("run", index + 1, [{ ...event("step_completed", `step ${index}`), data }]);
}
