import { WorldError } from "@perdure/core/errors";
import { EVENT_OVERHEAD, type NewEvent, type RunFilter } from "@perdure/core/world";
import {
  CLAIM_ID,
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
import { BSON, type Document, MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { collectionsOf, indexesOf } from "../src/schema.ts";
import { startProxy } from "./proxy.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

/** What the documents hold: they stay small, and a commit costs one command. */

const COLLECTIONS = ["perdure_runs", "perdure_events", "perdure_values", "perdure_mail", "perdure_names"];

const lease = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };

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

test("several values of five megabytes in one commit", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const large = Array.from({ length: 4 }, (_, index) => new Uint8Array(5 * 1024 * 1024).fill(index));
  const events = large.map((data, index): NewEvent => ({ ...event("step_completed", `${index}`), data }));
  expect(await world.commit([hold("run", 1, events)], NOW)).toMatchObject([{ outcome: "committed" }]);
  const journal = await world.listEvents("run", 1, 10);
  for (const [index, { data }] of journal.entries()) {
    expect([data?.length, data?.[0], data?.at(-1)]).toEqual([5 * 1024 * 1024, index, index]);
  }
});

test("more in one commit than a document holds, in values that are each small", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const events = Array.from({ length: 1_200 }, (_, index) => ({
    ...event("step_created", `${index}`),
    data: new Uint8Array(14_000).fill(index % 256),
  }));
  expect(await world.commit([hold("run", 1, events)], NOW)).toMatchObject([{ outcome: "committed" }]);
  const page = await world.listEvents("run", 1_000, 3);
  expect(page.map(({ id, data }) => [id, data?.length, data?.[0]])).toEqual(
    [999, 1_000, 1_001].map((index) => [`${index}`, 14_000, index % 256]),
  );
}, 120_000);

test("what a step of a fan-out costs does not grow with their number", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  let bytes = 0;
  let commands = 0;
  proxy.inject((name, command) => {
    if (["insert", "update", "find"].includes(name)) {
      commands++;
      bytes += BSON.calculateObjectSize(command);
    }
    return undefined;
  });
  const world = await openWorld({ ...database, url: proxy.url });
  /** Creates steps and completes them, 500 in a commit. */
  const costs = async (runId: string, steps: number) => {
    await world.createRuns([newRun(runId, { lease })], NOW);
    [bytes, commands] = [0, 0];
    for (let seq = 1; seq <= 2 * steps; seq += 500) {
      const type = seq <= steps ? "step_created" : "step_completed";
      const events = Array.from({ length: 500 }, (_, index) =>
        event(type, `${(seq + index) % steps}`, "one"),
      );
      await world.commit([hold(runId, seq, events)], NOW);
    }
    return { bytes: bytes / steps, commands: commands / steps };
  };
  const [few, many] = [await costs("few", 1_000), await costs("many", 8_000)];
  expect(few.bytes).toBeLessThan(600);
  expect(many.bytes).toBeLessThan(1.1 * few.bytes);
  expect(many.commands).toBeLessThan(1.1 * few.commands);
  // A server reads a whole document, whatever is asked of it.
  for (const run of await documents(database, "perdure_runs")) {
    expect(BSON.calculateObjectSize(run)).toBeLessThan(64 * 1024);
  }
  const journal = await world.listEvents("many", 0, 20_000);
  expect(journal.map(({ seq }) => seq)).toEqual(Array.from({ length: 16_001 }, (_, index) => index + 1));
}, 60_000);

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

test("names of one commit are asked for together, and one that is held keeps out only itself", async () => {
  const database = await temporaryDatabase();
  const counted: string[] = [];
  const world = await openWorld({
    ...database,
    beforeOperation: (operation) => void counted.push(operation),
  });
  await world.createRuns([newRun("run", { lease }), newRun("owner", { lease })], NOW);
  const wishes = Array.from({ length: 100 }, (_, index) => taking(`h${index}`, `t${index}`));
  await world.commit([hold("owner", 1, [taking("h", "t50")])], NOW);
  counted.length = 0;
  expect(await world.commit([hold("run", 1, wishes)], NOW)).toMatchObject([
    { outcome: "committed", conflicts: [{ id: "h50", runId: "owner" }] },
  ]);
  expect(counted.length).toBeLessThan(12);
  expect(await world.getNames(["t99"], NOW)).toMatchObject([{ runId: "run", id: "h99" }]);
  const rest = taking("again", "t50");
  await world.commit([hold("owner", 2, [releasing("h")])], NOW);
  expect(await world.commit([hold("run", 101, [rest])], NOW)).toMatchObject([{ conflicts: [] }]);
  await checkInvariants(world);
});

test("a value that no document holds is refused with what to do, and nothing is written", async () => {
  const world = await openWorld(await temporaryDatabase());
  await world.createRuns([newRun("run", { lease })], NOW);
  const data = new Uint8Array(17 * 1024 * 1024);
  const attempts = [
    () => world.commit([hold("run", 1, [{ ...event("step_completed", "s"), data }])], NOW),
    () => world.createRuns([newRun("big", { events: [{ ...event("run_created"), data }] })], NOW),
    () => world.deliver([{ messageId: "m", to: { runId: "run" }, type: "wake", at: NOW, data }], NOW),
  ];
  for (const attempt of attempts) {
    const error: unknown = await attempt().catch((reason: unknown) => reason);
    expect(WorldError.is(error)).toBe(true);
    expect(error).toMatchObject({
      message: expect.stringMatching(/17,825,792 bytes.*Store the value elsewhere/),
      retryable: false,
    });
  }
  expect(await world.getRuns(["run", "big"])).toMatchObject([{ seq: 1, mailSeq: 0 }, null]);
});

test("a mailbox of any length: the run document keeps the newest ids only, every message counts once", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const message = (index: number) =>
    ({
      messageId: `m${index}`,
      to: { runId: "run" },
      type: "wake",
      at: NOW,
      data: new Uint8Array([index]),
    }) as const;
  for (let from = 0; from < 200; from += 10) {
    await world.deliver(
      Array.from({ length: 10 }, (_, index) => message(from + index)),
      NOW,
    );
  }
  const [run] = await documents(database, "perdure_runs");
  expect(Object.keys(run?.mail as object).length).toBeLessThan(80);
  const [mail] = await world.listMail([{ runId: "run", after: 0 }]);
  expect(mail?.map(({ messageId }) => messageId)).toEqual(
    Array.from({ length: 200 }, (_, index) => `m${index}`),
  );

  await world.commit([{ ...hold("run", 1, [event("hook_received")]), mailDone: 150 }], NOW);
  const again = await world.deliver([message(0), message(149), message(199)], NOW);
  expect(again.map(({ outcome }) => outcome)).toEqual(["delivered", "delivered", "delivered"]);
  expect(await world.getRuns(["run"])).toMatchObject([{ mailSeq: 200, mailDone: 150 }]);
  const [left] = await world.listMail([{ runId: "run", after: 0 }]);
  expect(left?.map(({ mailSeq }) => mailSeq)).toEqual(Array.from({ length: 50 }, (_, index) => 151 + index));
  await checkInvariants(world);
});

test("a commit is one command, whatever the batch; names cost what they need", async () => {
  const database = await temporaryDatabase();
  const counted: string[] = [];
  const world = await openWorld({
    ...database,
    beforeOperation: (operation) => void counted.push(operation),
  });
  const ids = Array.from({ length: 20 }, (_, index) => `run-${index}`);
  const commands = async (act: () => Promise<unknown>) => {
    counted.length = 0;
    await act();
    return counted.length;
  };
  expect(
    await commands(() =>
      world.createRuns(
        ids.map((id) => newRun(id, { lease })),
        NOW,
      ),
    ),
  ).toBe(1);
  expect(
    await commands(() =>
      world.commit(
        ids.map((id) => hold(id, 1, [event("step_completed"), event("step_created")])),
        NOW,
      ),
    ),
  ).toBe(1);
  const message = { messageId: "m", to: { runId: "run-1" }, type: "wake", at: NOW, data: null } as const;
  expect(await commands(() => world.deliver([message], NOW))).toBe(4);
  // A draft, its names, and what makes it a run; with first mail one more.
  const names = [firstClaim("k", { keepFor: null })];
  expect(await commands(() => world.createRuns([newRun("named", { names })], NOW))).toBe(3);
  const named = Array.from({ length: 10 }, (_, index) =>
    newRun(`named-${index}`, { names: [firstClaim(`k${index}`)] }),
  );
  expect(await commands(() => world.createRuns(named, NOW))).toBe(3);
  const mail = [{ messageId: "first", id: "m", type: "hook_received", at: NOW, data: null }];
  const withMail = newRun("with mail", { names: [firstClaim("m")], mail });
  expect(await commands(() => world.createRuns([withMail], NOW))).toBe(4);
  // Held: what was there is looked at, and the draft goes.
  expect(await commands(() => world.createRuns([newRun("again", { names })], NOW))).toBe(6);
  expect(await commands(() => world.commit([hold("run-0", 3, [taking("h", "t")])], NOW))).toBe(3);
  // The end of a run whose names stay is a commit like others.
  const lasting = newRun("lasting", { names: [firstClaim("l", { keepFor: 1_000 })], lease });
  await world.createRuns([lasting], NOW);
  expect(await commands(() => world.commit([finish("lasting", 1, NOW)], NOW))).toBe(1);
  // A run with end mail is looked at once.
  await world.deliver([{ ...message, messageId: "end", atEnd: true }], NOW);
  const next = (seq: number) => ({ ...hold("run-1", seq, [event("step_created")]), mailDone: 1 });
  await world.commit([next(3)], NOW);
  expect(await commands(() => world.commit([next(4)], NOW))).toBe(1);
});

test("a run that thousands watch: its document keeps the newest ids only, and every end mail is read", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const data = new Uint8Array(100);
  for (let from = 0; from < 1_000; from += 50) {
    const batch = Array.from({ length: 50 }, (_, index) => ({
      ...{ messageId: `m${from + index}`, to: { runId: "run" }, type: "end", at: NOW, data, atEnd: true },
    }));
    await world.deliver(batch, NOW);
  }
  const [run = {}] = await documents(database, "perdure_runs");
  expect(BSON.calculateObjectSize(run)).toBeLessThan(8_000);
  expect(
    await world.deliver(
      [{ messageId: "m0", to: { runId: "run" }, type: "end", at: NOW, data, atEnd: true }],
      NOW,
    ),
  ).toMatchObject([{ outcome: "delivered" }]);
  expect(await world.getRuns(["run"])).toMatchObject([{ endSeq: 1_000, mailSeq: 0 }]);
  for (const [after, limit] of [
    [0, 70],
    [900, 7],
    [930, 100],
    [990, 100],
    [1_000, 5],
  ] as const) {
    const page = await world.listEndMail("run", after, limit);
    const expected = Array.from({ length: Math.min(limit, 1_000 - after) }, (_, index) => after + 1 + index);
    expect(page.map(({ mailSeq }) => mailSeq)).toEqual(expected);
    expect(page.map(({ messageId }) => messageId)).toEqual(expected.map((seq) => `m${seq - 1}`));
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

test("commits as large as one call may be, of events whose strings are as long as they may be", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const perCommit = Math.floor((world.capabilities.largestBatch ?? 0) / EVENT_OVERHEAD);
  for (const from of [0, perCommit]) {
    const events = Array.from({ length: perCommit }, (_, index) =>
      event("step_created", `${from + index}`.padStart(255, "€"), "€".repeat(255)),
    );
    expect(await world.commit([hold("run", 1 + from, events)], NOW)).toMatchObject([
      { outcome: "committed" },
    ]);
  }
  const ids = await Promise.all(
    [0, perCommit, 2 * perCommit - 1].map(
      async (step) => (await world.listEvents("run", 1 + step, 1))[0]?.id,
    ),
  );
  expect(ids).toEqual([0, perCommit, 2 * perCommit - 1].map((step) => `${step}`.padStart(255, "€")));
}, 60_000);

test("one commit that met somebody costs a read of the batch and what it needs itself, and mail no batch more", async () => {
  const database = await temporaryDatabase();
  const counted: string[] = [];
  const world = await openWorld({
    ...database,
    beforeOperation: (operation) => void counted.push(operation),
  });
  const ids = Array.from({ length: 30 }, (_, index) => `run-${index}`);
  await world.createRuns(
    ids.map((id) => newRun(id, { lease })),
    NOW,
  );
  await world.deliver([{ messageId: "m", to: { runId: "run-7" }, type: "wake", at: NOW, data: null }], NOW);
  counted.length = 0;
  const commits = ids.map((id) => hold(id, 1, [event("step_created", "s")]));
  const results = await world.commit(commits, NOW);
  expect(results.map(({ outcome }) => outcome)).toEqual(ids.map(() => "committed"));
  expect(counted).toEqual(["commit runs", "find runs", "find runs", "commit run"]);
});

test("a busy run gets its mail: what commits change is not what a delivery depends on", async () => {
  const database = await temporaryDatabase();
  const busy = await openWorld(database);
  await busy.createRuns([newRun("run", { lease })], NOW);
  let seq = 1;
  let looks = 0;
  const sender = await openWorld({
    ...database,
    // Between every look at the run and the delivery the run makes a step.
    async beforeOperation(operation) {
      if (operation === "find runs") looks++;
      if (operation !== "deliver") return;
      const commit = { ...hold("run", seq, [event("step_created", `${seq}`)]), mailDone: seq - 1 };
      await busy.commit([commit], NOW);
      seq++;
    },
  });
  for (let sent = 0; sent < 10; sent++) {
    const message = {
      messageId: `m${sent}`,
      to: { runId: "run" },
      type: "wake",
      at: NOW,
      data: null,
    } as const;
    expect(await sender.deliver([message], NOW)).toMatchObject([{ outcome: "delivered" }]);
  }
  expect(looks).toBe(10);
  expect(await busy.getRuns(["run"])).toMatchObject([{ seq: 11, mailSeq: 10 }]);
  await checkInvariants(busy);
});

test("a claim has no server sort what it finds; rows are read without journal and mailbox", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const finds: Document[] = [];
  proxy.inject((name, command) => {
    if (name === "find" && String(command.find).endsWith("_runs")) finds.push(command);
    return undefined;
  });
  const world = await openWorld({ ...database, url: proxy.url });
  await world.createRuns([newRun("run", { lease })], NOW);
  finds.length = 0;
  await world.createRuns(
    Array.from({ length: 60 }, (_, index) => newRun(`due-${index}`, { queue: index < 50 ? "one" : "two" })),
    NOW,
  );
  await world.claim(claiming({ queues: ["two", "none", "one"], limit: 5 }));
  // All queues together, then, as there is more than it takes, each; then the runs that it took.
  expect(finds.map(({ hint }) => hint)).toEqual(["due", "due", "due", "due", undefined]);
  const [all, ...each] = finds.slice(0, 4).map(({ filter, sort }) => [filter.queue, sort]);
  expect(all).toEqual([{ $in: ["two", "none", "one"] }, { dueAt: 1 }]);
  // They are sent at once, over several connections.
  expect(each).toEqual(
    expect.arrayContaining(["two", "none", "one"].map((queue) => [queue, { queue: 1, dueAt: 1 }])),
  );
  for (const { limit } of finds.slice(0, 4)) expect(limit).toBeLessThanOrEqual(6);
  finds.length = 0;
  await world.getRuns(["run"]);
  await world.renew({ leases: [{ runId: "run", epoch: 1, claimId: CLAIM_ID }], ttl: 1, now: NOW });
  expect(finds.map(({ projection }) => projection)).toEqual(
    [1, 2].map(() => ({ tail: 0, mail: 0, endMail: 0, names: 0 })),
  );
});

test("the order of each listing is that of the index of its field", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const finds: Document[] = [];
  proxy.inject((name, command) => {
    if (name === "find" && String(command.find).endsWith("_runs")) finds.push(command);
    return undefined;
  });
  const world = await openWorld({ ...database, url: proxy.url });
  const filters: readonly (readonly [RunFilter, string[]])[] = [
    [{}, []],
    [{ createdFrom: NOW, createdBefore: NOW + 1 }, []],
    [{ workflow: "w" }, ["workflow"]],
    [{ queue: "q" }, ["queue"]],
    [{ statuses: ["pending", "failed"] }, ["status"]],
    [{ attributes: { plan: "paid" } }, ["attributeKeys"]],
    [{ completedBefore: NOW }, []],
  ];
  const indexes = indexesOf(collectionsOf("")).find(([name]) => name === "perdure_runs")?.[1] ?? [];
  const keys = indexes.map(({ key }) => Object.keys(key).join());
  for (const [filter, fields] of filters) {
    finds.length = 0;
    await world.listRuns({ ...filter, limit: 5, cursor: `${NOW}:run` });
    const [{ filter: asked, sort, projection } = {}] = finds;
    const named = (asked.$and as Document[]).flatMap((condition) => Object.keys(condition));
    expect(named).toEqual(expect.arrayContaining(fields));
    expect(keys).toContain([...fields, ...Object.keys(sort)].join());
    expect(projection).toMatchObject({ tail: 0, output: 0, state: 0 });
  }
});

function step(index: number) {
  const data = new Uint8Array(1_500);
  return hold("run", index + 1, [{ ...event("step_completed", `step ${index}`), data }]);
}

async function documents({ url, db }: { url: string; db: string }, name: string): Promise<Document[]> {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return client.db(db).collection(name).find({}).toArray();
}

test("no document of a stream grows: an append adds documents of at most a megabyte", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const stream = { runId: "run", name: "answer", writer: "w" };
  const large = Array.from({ length: 6 }, () => new Uint8Array(250_000));
  const small = Array.from({ length: 1_500 }, (_, index) => new Uint8Array([index % 256]));
  await world.appendChunks([{ ...stream, n: 0, chunks: [...large, ...small] }]);
  for (let n = 1_506; n < 1_516; n++) {
    await world.appendChunks([{ ...stream, n, chunks: [new Uint8Array(10)] }]);
  }
  const segments = await documents(database, "perdure_streams");
  expect(Math.max(...segments.map(({ bytes = 0 }) => bytes as number))).toBeLessThanOrEqual(1024 * 1024);
  expect(Math.max(...segments.map(({ count = 0 }) => count as number))).toBeLessThanOrEqual(1_000);
  const [run] = await documents(database, "perdure_runs");
  expect(run?.rev).toBe(0);

  let read = 0;
  for (;;) {
    const query = { ...stream, from: read, limit: 700, byteLimit: 600_000 };
    const { chunks = [], length } = (await world.readChunks(query)) ?? {};
    expect(chunks.map(({ index }) => index)).toEqual(chunks.map((_, place) => read + place));
    expect(chunks.length).toBeGreaterThan(0);
    read += chunks.length;
    if (read === length) break;
  }
  expect(read).toBe(1_516);
});
