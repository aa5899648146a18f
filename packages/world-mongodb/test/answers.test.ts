import { inspect } from "node:util";
import { WorldError } from "@perdure/core/errors";
import type { World } from "@perdure/core/world";
import { CLAIM_ID, claiming, event, firstClaim, hold, NOW, newRun, taking } from "@perdure/testbed/requests";
import { type BSON, MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { mongodbWorld } from "../src/index.ts";
import { type Fault, startProxy } from "./proxy.ts";
import { lease, openWorld, temporaryDatabase } from "./store.ts";

/** Answers that a real server, or a service that looks like one, gives; and none at all. */

/** A World behind a proxy. */
async function behindProxy(options: { callTimeout?: number } = {}) {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const world = await openWorld({ ...database, url: proxy.url, ...options });
  return { database, proxy, world };
}

const first = (fault: Fault, ...names: readonly string[]) => {
  let left = 1;
  return (name: string) => (names.includes(name) && left-- > 0 ? fault : undefined);
};

const WRITE_CONCERN_ERRORS: readonly BSON.Document[] = [
  { code: 64, codeName: "WriteConcernFailed", errmsg: "waiting for replication timed out" },
  { code: 50, codeName: "MaxTimeMSExpired", errmsg: "operation exceeded time limit" },
  { code: 91, codeName: "ShutdownInProgress", errmsg: "replication is being shut down" },
  { code: 100, codeName: "UnsatisfiableWriteConcern", errmsg: "not enough data-bearing nodes" },
];

test.each(WRITE_CONCERN_ERRORS)(
  "a write that is done but not by a majority ($codeName) is an error, and sent again it is in once",
  async (writeConcernError) => {
    const { world, proxy } = await behindProxy();
    const answer = {
      type: "change",
      change: (given: BSON.Document) => ({ ...given, writeConcernError }),
    } as const;
    const names = [firstClaim("k")];
    const acts: readonly (readonly [string, () => Promise<unknown>])[] = [
      ["insert", () => world.createRuns([newRun("run", { lease })], NOW)],
      ["insert", () => world.createRuns([newRun("keyed", { names }), newRun("too", { names })], NOW)],
      ["update", () => world.commit([hold("run", 1, [event("step_created", "s")])], NOW)],
      [
        "update",
        () =>
          world.deliver([{ messageId: "m", to: { runId: "run" }, type: "wake", at: NOW, data: null }], NOW),
      ],
      [
        "update",
        () => world.renew({ leases: [{ runId: "run", epoch: 1, claimId: CLAIM_ID }], ttl: 90_000, now: NOW }),
      ],
      ["delete", () => world.deleteRuns(["run"])],
    ];
    for (const [command, act] of acts.slice(0, 5)) {
      proxy.inject(first(answer, command));
      const error: unknown = await act().catch((reason: unknown) => reason);
      expect(error, command).toMatchObject({ retryable: true });
      await act();
    }
    expect(await world.getRuns(["run"])).toMatchObject([{ seq: 2, mailSeq: 1, dueAt: NOW + 90_000 }]);
  },
);

test.each([
  [17419, "Resulting document after update is larger than 16777216"],
  [10334, "BSONObj size: 17825792 (0x1100000) is invalid"],
])("error %i: a commit that the server will never take is refused for good", async (code, errmsg) => {
  const { world, proxy } = await behindProxy();
  await world.createRuns([newRun("run", { lease })], NOW);
  proxy.inject(
    first(
      { type: "refuse", answer: { ok: 1, n: 0, nModified: 0, writeErrors: [{ index: 0, code, errmsg }] } },
      "update",
    ),
  );
  const error: unknown = await world
    .commit([hold("run", 1, [event("step_created", "s")])], NOW)
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({
    retryable: false,
    message: expect.stringContaining("Give steps smaller values"),
  });
});

test("the updates of every command go by run id", async () => {
  const { world, proxy } = await behindProxy();
  const ids = ["run-3", "run-1", "run-2"];
  const orders: string[] = [];
  proxy.inject((name, command) => {
    const statements: readonly BSON.Document[] = command.updates ?? command.documents ?? [];
    if (statements.length > 1)
      orders.push(`${name} ${statements.map((each) => each.q?._id ?? each._id).join()}`);
    return undefined;
  });
  await world.createRuns(
    ids.map((id, index) => newRun(id, { dueAt: NOW - index })),
    NOW,
  );
  await world.claim(claiming());
  const leases = ids.map((runId) => ({ runId, epoch: 1, claimId: CLAIM_ID }));
  await world.renew({ leases, ttl: 90_000, now: NOW });
  await world.commit(
    ids.map((id) => hold(id, 1, [event("step_created", "s")])),
    NOW,
  );
  const messages = ids.map(
    (id) => ({ messageId: id, to: { runId: id }, type: "wake", at: NOW, data: null }) as const,
  );
  await world.deliver(messages, NOW);
  const sorted = ids.toSorted().join();
  expect(orders).toEqual([
    `insert ${sorted}`,
    `update ${sorted}`,
    `update ${sorted}`,
    `update ${sorted}`,
    `insert ${sorted}`,
  ]);
});

test("a server that says nothing more: the call is given up, and sent again it goes over another connection", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  // With one connection in all, a call that kept its own would hold up the next.
  const world = await openWorld({ ...database, url: `${proxy.url}&maxPoolSize=1`, callTimeout: 300 });
  await world.createRuns([newRun("run", { lease })], NOW);
  for (const name of ["update", "find"]) {
    proxy.inject(first({ type: "silence" }, name));
    const act = () =>
      name === "find"
        ? world.getRuns(["run"])
        : world.commit([hold("run", 1, [event("step_created", "s")])], NOW);
    const error: unknown = await act().catch((reason: unknown) => reason);
    expect(error).toMatchObject({
      retryable: true,
      message: expect.stringMatching(/had no answer within 300 ms.*not known whether it was executed/),
    });
    await act();
  }
  expect(await world.getRuns(["run"])).toMatchObject([{ seq: 2 }]);
});

test("the server is told to give up before the caller does", async () => {
  const { world, proxy } = await behindProxy({ callTimeout: 1_000 });
  const commands: BSON.Document[] = [];
  proxy.inject((_, command) => void commands.push(command));
  await world.createRuns([newRun("run", { lease })], NOW);
  await world.commit([hold("run", 1, [event("step_created", "s")])], NOW);
  await world.getRuns(["run"]);
  const ours = commands.filter((command) => "insert" in command || "update" in command || "find" in command);
  expect(ours.length).toBeGreaterThan(2);
  for (const { maxTimeMS } of ours) expect(maxTimeMS).toBeLessThan(1_000);
  for (const { writeConcern } of ours.filter((command) => !("find" in command))) {
    expect(writeConcern).toMatchObject({ w: "majority", wtimeout: expect.any(Number) });
  }
});

test("a server that takes the connection and says nothing: opening ends with what is wrong", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  proxy.inject(() => ({ type: "silence" }));
  const world = mongodbWorld({ ...database, url: proxy.url, callTimeout: 200 });
  const error: unknown = await world.open().catch((reason: unknown) => reason);
  expect(error).toMatchObject({ retryable: true, message: expect.stringContaining("127.0.0.1:") });
  await world.close();
});

test("a replica set without change streams: no notifications are claimed, and none are asked for again", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  let asked = 0;
  proxy.inject((name) => {
    if (name === "aggregate") {
      asked++;
      return { type: "refuse", answer: { ok: 0, code: 303, errmsg: "Feature not supported: $changeStream" } };
    }
    if (name !== "hello") return undefined;
    const set = { setName: "rs", hosts: ["127.0.0.1:1"], setVersion: 1 };
    return { type: "change", change: (answer) => ({ ...answer, ...set }) };
  });
  const world = await openWorld({ ...database, url: proxy.url });
  expect(world.describe()).toMatchObject({ topology: "replica set", notifications: "none: workers poll" });
  expect(world.capabilities.notifications).toBe(false);
  world.subscribe(() => {});
  await world.getRuns(["run"]);
  expect(asked).toBe(1);
});

test("a change stream carries that something changed, and not what", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const pipelines: unknown[] = [];
  let waits = 0;
  proxy.inject((name, command) => {
    if (name === "aggregate") {
      pipelines.push(command.pipeline);
      const cursor = { id: 7n, ns: `${command.$db}.${command.aggregate}`, firstBatch: [] };
      return { type: "refuse", answer: { ok: 1, cursor } };
    }
    if (name === "getMore") {
      if (waits++ > 0) return { type: "silence" };
      const cursor = { id: 7n, ns: `${command.$db}.${command.collection}`, nextBatch: [] };
      return { type: "refuse", answer: { ok: 1, cursor } };
    }
    if (name !== "hello") return undefined;
    const set = { setName: "rs", hosts: ["127.0.0.1:1"], setVersion: 1 };
    return { type: "change", change: (answer) => ({ ...answer, ...set }) };
  });
  const world = await openWorld({ ...database, url: proxy.url, callTimeout: 300 });
  onTestFinished(world.subscribe(() => {}));
  await expect.poll(() => pipelines.length).toBeGreaterThan(2);
  // The first one asks whether there are any; then one of the runs, and one of the streams' chunks, which names them.
  const projections = (pipelines as Record<string, unknown>[][]).flatMap(([, ...stages]) =>
    stages.flatMap(({ $project }) => ($project === undefined ? [] : [$project])),
  );
  expect(projections).toContainEqual({ _id: 1 });
  for (const projection of projections) expect(projection).not.toHaveProperty(["fullDocument.chunks"]);
});

const SECRET = "hunter2-s3cret";

test("no error, capability or description prints a password, a key, a token or a payload", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const printed: string[] = [];
  const keep = (value: unknown) => {
    printed.push(inspect(value, { depth: 20, showHidden: false }), JSON.stringify(value) ?? "");
    if (value instanceof Error) printed.push(String(value.stack));
  };
  const world = await openWorld({ ...database, url: proxy.url });
  const data = new TextEncoder().encode(SECRET);
  await world.createRuns([newRun("run", { lease })], NOW);
  const acts: readonly ((world: World) => Promise<unknown>)[] = [
    (w) => w.commit([hold("run", 1, [{ ...event("step_completed", "s"), data }])], NOW),
    (w) => w.commit([hold("run", 1, [taking("h", SECRET)])], NOW),
    (w) => w.createRuns([newRun("b", { names: [firstClaim(SECRET, { fingerprint: SECRET })] })], NOW),
    (w) => w.createRuns([newRun("c", { events: [{ ...event("run_created"), data }] })], NOW),
    (w) => w.deliver([{ messageId: SECRET, to: { name: SECRET }, type: "wake", at: NOW, data }], NOW),
    (w) => w.deliver([{ messageId: SECRET, to: { runId: "run" }, type: "wake", at: NOW, data }], NOW),
    (w) => w.getNames([SECRET], NOW),
    (w) =>
      w.deliver(
        [{ messageId: SECRET, to: { name: SECRET }, type: "wake", at: NOW, data: new Uint8Array(17 << 20) }],
        NOW,
      ),
  ];
  const errmsg = `E11000 duplicate key error collection: perdure.x index: _id_ dup key: { _id: "${SECRET}" }`;
  const op = { q: { _id: SECRET }, u: { $set: { data: SECRET } } };
  const bad = {
    index: 0,
    code: 121,
    errmsg: `Document failed "${SECRET}" {a: '${SECRET}'}`,
    errInfo: { op },
  };
  const answers: readonly Fault[] = [
    {
      type: "refuse",
      answer: { ok: 0, code: 11600, errmsg, keyValue: { _id: SECRET }, keyPattern: { _id: 1 } },
    },
    { type: "refuse", answer: { ok: 1, n: 0, nModified: 0, writeErrors: [bad, bad] } },
    { type: "refuse", answer: { ok: 0, code: 2, errmsg: `unknown operator: '${SECRET}'`, errInfo: { op } } },
    { type: "cut before" },
  ];
  for (const answer of answers) {
    for (const act of answer.type === "refuse" ? acts : acts.slice(0, 2)) {
      proxy.inject((name) => (["insert", "update", "find", "delete"].includes(name) ? answer : undefined));
      await act(world).catch(keep);
    }
  }
  expect(printed.length).toBeGreaterThan(2 * acts.length * (answers.length - 1));
  proxy.inject(() => undefined);
  keep(world.describe());
  keep(world.capabilities);

  const urls = [
    `mongodb://user:${SECRET}@127.0.0.1:1/shop`,
    `mongodb://user:${SECRET}@127.0.0.1:1:1:1/shop`,
    `mongodb://user:${SECRET}@/shop`,
    `mongo://user:${SECRET}@127.0.0.1/shop`,
    `mongodb://user:${SECRET}%@127.0.0.1/shop`,
    `mongodb://user:${SECRET}@127.0.0.1/shop?nonsense=${SECRET}`,
  ];
  for (const url of urls) {
    const other = mongodbWorld({ url, callTimeout: 100 });
    keep(other.capabilities);
    keep(other);
    keep(await other.open().catch((reason: unknown) => reason));
  }
  const client = new MongoClient(urls[0] ?? "", { serverSelectionTimeoutMS: 50 });
  keep(
    await mongodbWorld({ client })
      .open()
      .catch((reason: unknown) => reason),
  );
  await client.close();
  for (const text of printed) expect(text).not.toContain(SECRET);
});

test("what is lost of one run is said, and does not hold up the others", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  const data = new Uint8Array(20_000).fill(1);
  const parts: readonly (readonly [string, string])[] = [
    ["perdure_values", "journal"],
    ["perdure_mail", "mailbox"],
    ["perdure_events", "journal"],
  ];
  const client = new MongoClient(database.url);
  onTestFinished(() => client.close());
  for (const [name, part] of parts) {
    const [lost, whole] = [`lost-${name}`, `whole-${name}`];
    await world.createRuns(
      [lost, whole].map((runId) =>
        newRun(runId, { dueAt: NOW, events: [{ ...event("run_created"), data }] }),
      ),
      NOW,
    );
    await world.claim(claiming({ claimId: "a" }));
    for (let seq = 1; seq < 40; seq++) {
      const value = { ...event("step_completed", `${seq}`), data: new Uint8Array(2_000) };
      const commits = [lost, whole].map((runId) => ({ ...hold(runId, seq, [value]), claimId: "a" }));
      await world.commit(commits, NOW);
    }
    await world.deliver(
      [lost, whole].map(
        (runId) => ({ messageId: runId, to: { runId }, type: "wake", at: NOW, data: null }) as const,
      ),
      NOW,
    );
    const collection = client.db(database.db).collection(name);
    const run = await client
      .db(database.db)
      .collection<{ _id: string; incarnation: string }>("perdure_runs")
      .findOne({ _id: lost });
    const documents = await collection.find({}).toArray();
    const ofLost = documents.filter(
      (document) => document.run === lost || String(document._id).startsWith(run?.incarnation ?? "none"),
    );
    await collection.deleteMany({ _id: { $in: ofLost.map(({ _id }) => _id) } });
    expect(ofLost.length).toBeGreaterThan(0);

    const { runs } = await world.claim(claiming({ claimId: "b", now: NOW + 60_000 }));
    const claimed = new Map(runs.map((each) => [each.run.runId, each]));
    expect(claimed.get(whole)).toMatchObject({ damage: null, mail: [{ messageId: whole }] });
    expect(claimed.get(whole)?.events).toHaveLength(40);
    expect(claimed.get(lost)).toMatchObject({ events: [], mail: [] });
    const damage = claimed.get(lost)?.damage;
    expect(WorldError.is(damage) && !damage.retryable && damage.message).toContain(
      `run ${lost}: its ${part} is missing`,
    );
    const finished = (runId: string) => ({
      ...hold(runId, 40, [event("run_completed")]),
      epoch: 2,
      claimId: "b",
      run: { status: "completed", completedAt: NOW } as const,
      lease: { type: "park", dueAt: null } as const,
    });
    await world.commit([finished(lost), finished(whole)], NOW);
  }
});

test("a result that is lost is an error, not nothing", async () => {
  const database = await temporaryDatabase();
  const world = await openWorld(database);
  await world.createRuns([newRun("run", { lease })], NOW);
  const output = new Uint8Array(20_000);
  await world.commit(
    [
      {
        ...hold("run", 1, [event("run_completed")]),
        run: { status: "completed", completedAt: NOW, output },
        lease: { type: "park", dueAt: null },
      },
    ],
    NOW,
  );
  const client = new MongoClient(database.url);
  await client.db(database.db).collection("perdure_values").deleteMany({});
  await client.close();
  await expect(world.getRuns(["run"])).rejects.toThrow(/lost a part of run run: its output is missing/);
  await world.createRuns([newRun("whole")], NOW);
  expect(await world.listRuns({ limit: 9, payloads: true })).toMatchObject({
    runs: [{ runId: "whole" }],
    damaged: [{ runId: "run", damage: { message: expect.stringMatching(/its output is missing/) } }],
  });
});
