import type { World } from "@perdure/core/world";
import { mongodb } from "@perdure/testbed/mongodb";
import { claiming, finish, firstClaim, NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { describeWorld } from "@perdure/world-testkit";
import { type ClientSession, MongoClient, MongoServerError } from "mongodb";
import { afterAll, expect, onTestFinished, test } from "vitest";
import { startProxy } from "./proxy.ts";
import { newDatabase, openWorld, serverTitle, targetOn, temporaryDatabase } from "./store.ts";

/** Transactions of the program's own that starts and messages join: on a replica set, which has them. */

const server = await mongodb({ replicaSet: true });
afterAll(server.stop);

describeWorld({
  name: `${serverTitle(server)}, a replica set`,
  laws: ["joining"],
  create: async () => targetOn(server.url),
});

interface Numbered {
  readonly _id: string;
}

const message = (messageId: string, name: string) => ({
  ...{ messageId, to: { name }, type: "t", at: NOW, data: null },
});

function deferred<T>() {
  let resolve: (value: T) => void = () => {};
  const promise = new Promise<T>((done) => {
    resolve = done;
  });
  return { promise, resolve };
}

/** A client of the program's own, and a session of it. */
function openSession(url: string): { client: MongoClient; session: ClientSession } {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return { client, session: client.startSession() };
}

async function outboxOf(client: MongoClient, db: string): Promise<unknown[]> {
  return client.db(db).collection("perdure_outbox").find().toArray();
}

test("withTransaction that begins again: in once, beside the program's own documents", async () => {
  const db = newDatabase();
  const world = await openWorld({ url: server.url, db });
  expect(world.capabilities.joining).toBe(true);
  const { client, session } = openSession(server.url);
  const orders = client.db(db).collection<Numbered>("orders");
  await orders.insertOne({ _id: "before" });
  let round = 0;
  await session.withTransaction(async () => {
    round++;
    await orders.insertOne({ _id: `order ${round}` }, { session });
    const { createRuns, deliver } = world.joining(session);
    await createRuns([newRun(`wrun_${round}`, { names: [firstClaim("hook")] })], NOW);
    await deliver([message("m", "hook")], NOW);
    if (round > 1) return;
    const error = new MongoServerError({ message: "WriteConflict", code: 112 });
    error.addErrorLabel("TransientTransactionError");
    throw error;
  });
  const { runs } = await world.claim(claiming());
  expect(runs).toMatchObject([{ run: { runId: "wrun_2" }, mail: [{ messageId: "m" }] }]);
  expect(await world.getRuns(["wrun_1"])).toEqual([null]);
  expect(await orders.find().toArray()).toEqual([{ _id: "before" }, { _id: "order 2" }]);
  expect(await outboxOf(client, db)).toEqual([]);
});

test("several Worlds of a process in one transaction: all requests in their order", async () => {
  const db = newDatabase();
  const worlds = [await openWorld({ url: server.url, db }), await openWorld({ url: server.url, db })];
  const [world, other] = worlds as [World, World];
  const { session } = openSession(server.url);
  const ids = Array.from({ length: 12 }, (_, index) => `m${index}`);
  for (const round of [1, 2]) {
    await session.withTransaction(async () => {
      await world
        .joining(session)
        .createRuns([newRun(`wrun_${round}`, { names: [firstClaim(`${round}`)] })], NOW);
      for (const [index, id] of ids.entries()) {
        const joined = (index % 2 === 0 ? other : world).joining(session);
        await joined.deliver([message(`${round} ${id}`, `${round}`)], NOW);
      }
    });
    const { runs } = await other.claim(claiming());
    expect(runs.flatMap(({ mail }) => mail.map((each) => each.messageId))).toEqual(
      ids.map((id) => `${round} ${id}`),
    );
  }
});

test("what cannot be joined is refused, and says what to pass", async () => {
  const db = newDatabase();
  const world = await openWorld({ url: server.url, db });
  const refused = (transaction: unknown) => world.joining(transaction).createRuns([newRun("wrun_1")], NOW);
  const { client, session } = openSession(server.url);
  await refuses(refused({ execute: () => {} }), {
    message: /joins a `ClientSession` of the MongoDB driver with a transaction under way/,
    retryable: false,
  });
  await refuses(refused(client), { message: /joins a `ClientSession`/, retryable: false });
  await refuses(refused(session), {
    message: /the session that was passed in has no transaction under way. Call it within/,
    retryable: false,
  });
  session.startTransaction();
  await session.endSession();
  await refuses(refused(session), { message: /has no transaction under way/, retryable: false });

  // Of another server, on which somebody has a store of the same name.
  const { url } = await temporaryDatabase();
  await openWorld({ url, db });
  const { session: foreign } = openSession(url);
  foreign.startTransaction();
  await refuses(refused(foreign), {
    message: /a client that is connected to another server/,
    retryable: false,
  });
  await foreign.endSession();
  expect(await outboxOf(client, db)).toEqual([]);
});

test("a server without transactions: refused, with what it would need", async () => {
  const database = await temporaryDatabase();
  const proxy = await startProxy(database.url);
  const standalone = ({ setName: _, hosts: __, ...answer }: Record<string, unknown>) => answer;
  proxy.inject((name) =>
    /^(hello|ismaster)$/i.test(name) ? { type: "change", change: standalone } : undefined,
  );
  const world = await openWorld({ ...database, url: proxy.url });
  expect(world.capabilities.joining).toBe(false);
  expect(() => world.joining(openSession(database.url).session)).toThrow(
    /cannot join a transaction: the server is a standalone one.*Make it a replica set/,
  );
  await world.createRuns([newRun("wrun_1")], NOW);
  expect((await world.claim(claiming())).runs).toHaveLength(1);
});

test("more than a document holds is refused, and the transaction goes on", async () => {
  const db = newDatabase();
  const world = await openWorld({ url: server.url, db });
  const { session } = openSession(server.url);
  const data = new Uint8Array(9 * 1024 * 1024);
  const letters = ["a", "b"].map((id) => ({ ...message(id, "hook"), data }));
  await session.withTransaction(async () => {
    const { createRuns, deliver } = world.joining(session);
    await refuses(deliver(letters, NOW), { message: /Ask for less in one call/, retryable: false });
    await createRuns([newRun("wrun_1")], NOW);
  });
  expect((await world.claim(claiming())).runs).toMatchObject([{ run: { runId: "wrun_1" } }]);
});

test("a mover that stands still at any command while another does it all: nothing is done twice", async () => {
  const db = newDatabase();
  const world = await openWorld({ url: server.url, db });
  const { client, session } = openSession(server.url);
  let left = Number.POSITIVE_INFINITY;
  let stand: () => Promise<void> = async () => {};
  const slow = await openWorld({
    ...{ url: server.url, db },
    beforeOperation: () => (left-- === 0 ? stand() : undefined),
  });
  for (let point = 0; ; point++) {
    const [runId, hook] = [`wrun_${point}`, `hook ${point}`];
    const gate = deferred<void>();
    const reached = deferred<boolean>();
    stand = () => {
      reached.resolve(true);
      return gate.promise;
    };
    await session.withTransaction(async () => {
      await world.joining(session).createRuns([newRun(runId, { names: [firstClaim(hook)] })], NOW);
      await world.joining(session).deliver([message(`m ${point}`, hook)], NOW);
    });
    left = point;
    const standing = slow.claim(claiming({ queues: ["nobody's"] })).finally(() => reached.resolve(false));
    const stood = await reached.promise;
    const { runs } = await world.claim(claiming());
    expect(runs).toMatchObject([{ run: { runId }, mail: [{ messageId: `m ${point}` }] }]);
    expect(await world.commit([{ ...finish(runId, 1, NOW), mailDone: 1 }], NOW)).toMatchObject([
      { outcome: "committed" },
    ]);
    gate.resolve();
    await standing;
    expect(await world.getRuns([runId])).toMatchObject([
      { status: "completed", seq: 2, mailSeq: 1, dueAt: null },
    ]);
    expect(await outboxOf(client, db)).toEqual([]);
    if (!stood) break;
  }
});

test("a document that holds no request is named once, and is in nobody's way", async () => {
  const db = newDatabase();
  const world = await openWorld({ url: server.url, db });
  const { client, session } = openSession(server.url);
  const warnings: string[] = [];
  const listener = ({ message }: Error) => warnings.push(message);
  process.on("warning", listener);
  onTestFinished(() => void process.off("warning", listener));
  const broken = { _id: "0", transaction: "nobody's", request: Buffer.from("nonsense") };
  await client.db(db).collection<Numbered>("perdure_outbox").insertOne(broken);
  for (const runId of ["wrun_1", "wrun_2"]) {
    await session.withTransaction(() => world.joining(session).createRuns([newRun(runId)], NOW));
    expect((await world.claim(claiming())).runs).toMatchObject([{ run: { runId } }]);
  }
  const named = () =>
    warnings.filter((each) => /document 0 of the collection perdure_outbox cannot/.test(each));
  await expect.poll(named).toHaveLength(1);
  expect(await outboxOf(client, db)).toMatchObject([{ _id: "0" }]);
});
