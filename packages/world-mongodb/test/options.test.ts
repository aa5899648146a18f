import { type AddressInfo, createServer, type Server } from "node:net";
import { WorldError } from "@perdure/core/errors";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { NOW, newRun } from "@perdure/testbed/requests";
import { refuses } from "@perdure/testbed/world-checks";
import { MongoClient } from "mongodb";
import { expect, onTestFinished, test } from "vitest";
import { mongodbWorld } from "../src/index.ts";
import { openWorld, temporaryDatabase } from "./store.ts";

test("options that make no sense", () => {
  const client = new MongoClient("mongodb://127.0.0.1:1");
  expect(() => mongodbWorld({ url: "mongodb://127.0.0.1:1", client })).toThrow(/`url` or `client`, not both/);
  expect(() => mongodbWorld({ namespace: "Shop" })).toThrow(
    /namespace "Shop" becomes part of collection names/,
  );
  expect(() => mongodbWorld({ clock: "mine" as "store" })).toThrow(/clock is "store" or "caller"/);
});

test("a client of the user stays open, and its leases are not kept in a thread", async () => {
  const { url, db } = await temporaryDatabase();
  const client = new MongoClient(url);
  const world = mongodbWorld({ client, db, clock: "caller" });
  await world.open();
  expect(world.capabilities.leaseKeeper).toBeNull();
  await world.createRuns([newRun("run")], NOW);
  await world.close();
  expect(await client.db(db).collection("perdure_runs").countDocuments()).toBe(1);
  await client.close();
});

test("a client of the user that reaches no server is told why, though it would go on trying itself", async () => {
  const client = new MongoClient("mongodb://127.0.0.1:1");
  onTestFinished(() => client.close());
  await expect(mongodbWorld({ client, callTimeout: 300 }).open()).rejects.toThrow(
    /ECONNREFUSED 127\.0\.0\.1:1.*"hello" had no answer within 300 ms.* Check host and port/,
  );
  expect(client.listenerCount("serverHeartbeatFailed")).toBe(0);
});

test("namespaces of one database do not meet", async () => {
  const database = await temporaryDatabase();
  const [plain, shop] = [await openWorld(database), await openWorld({ ...database, namespace: "shop" })];
  await plain.createRuns([newRun("run")], NOW);
  expect(await shop.getRuns(["run"])).toEqual([null]);
  expect(await shop.createRuns([newRun("run")], NOW)).toMatchObject([{ outcome: "created" }]);
});

test("what is told of the store names no password", async () => {
  const { url, db } = await temporaryDatabase();
  const world = await openWorld({ url, db });
  const settings = world.describe();
  expect(settings.location).toMatch(new RegExp(`^[^@]+:\\d+/${db}$`));
  expect(settings).toMatchObject({ schemaVersion: 1, serverVersion: expect.any(String) });
  expect(["standalone", "replica set", "sharded"]).toContain(settings.topology);
});

test("durability is claimed where the server proves it, notifications where it has them", async ({
  skip,
}) => {
  const { partial } = await sharedMongodb();
  const world = await openWorld(await temporaryDatabase());
  if (partial !== null) {
    expect(world.capabilities).toMatchObject({ durability: "process", notifications: false });
    skip(`${partial}: what a real server proves is not shown here`);
  }
  expect(world.capabilities.durability).toBe("machine");
  expect(world.capabilities.notifications).toBe(world.describe().topology !== "standalone");
});

test("a server that is not there: an error that may pass, with its address", async () => {
  const url = "mongodb://someone:secret@127.0.0.1:1/shop?serverSelectionTimeoutMS=50";
  const error: unknown = await mongodbWorld({ url })
    .open()
    .catch((reason: unknown) => reason);
  expect(WorldError.is(error)).toBe(true);
  expect(error).toMatchObject({
    retryable: true,
    message: expect.stringContaining("127.0.0.1:1/shop failed"),
  });
  expect((error as Error).message).not.toContain("secret");
});

test("what answers there is no MongoDB, is silent, or lacks a file: an error that says what to look at", async () => {
  const silent = createServer();
  const closing = createServer((socket) => socket.end());
  for (const server of [silent, closing]) {
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    onTestFinished(() => void server.close());
  }
  const opening = (server: Server, callTimeout = 400): Promise<void> =>
    mongodbWorld({
      url: `mongodb://127.0.0.1:${(server.address() as AddressInfo).port}/db`,
      callTimeout,
    }).open();
  await refuses(opening(silent), { message: /Nothing there answers .*`replicaSet`.*`tls`/, retryable: true });
  await refuses(opening(closing), { message: /closes it: .*`tls=true`/, retryable: true });
  const files = mongodbWorld({ url: "mongodb://127.0.0.1/db?tls=true&tlsCAFile=/no/such/file" });
  await refuses(files.open(), { message: /cannot be opened: .*no.such.file/, retryable: false });
});

test("a URL that is none: an error that stays", async () => {
  const error: unknown = await mongodbWorld({ url: "http://127.0.0.1" })
    .open()
    .catch((reason: unknown) => reason);
  expect(error).toMatchObject({ retryable: false });
});

test("a store of a newer version is refused and left as it is", async () => {
  const { url, db } = await temporaryDatabase();
  await openWorld({ url, db });
  const client = new MongoClient(url);
  const schema = client.db(db).collection<{ _id: string }>("perdure_schema");
  await schema.updateOne({ _id: "version" }, { $set: { version: 99 } });
  await client.close();
  await expect(mongodbWorld({ url, db }).open()).rejects.toThrow(/schema version 99.*Update the package/);
});

test("calls before open and after close", async () => {
  const world = mongodbWorld(await temporaryDatabase());
  await expect(world.getRuns([])).rejects.toThrow(/is not open\. Call open\(\) first/);
  await world.open();
  await world.close();
  await world.close();
  await expect(world.getRuns([])).rejects.toThrow(/is not open/);
  await world.open();
  expect(await world.getRuns([])).toEqual([]);
  await world.close();
});
