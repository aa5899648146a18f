import { mongodb } from "@perdure/testbed/mongodb";
import { mongodbWorld } from "@perdure/world-mongodb";
import { type ClientSession, MongoClient } from "mongodb";
import { afterAll } from "vitest";
import { fromMongo } from "../src/index.ts";
import { adapterLaws } from "./adapter-laws.ts";
import { joiningLaws } from "./joining-laws.ts";
import type { Subject } from "./programs.ts";
import { zombieLaws } from "./zombie-laws.ts";

const server = await mongodb({ replicaSet: true });
const name = `test_${crypto.randomUUID().replaceAll("-", "").slice(0, 20)}`;
const admin = new MongoClient(server.url);
const world = mongodbWorld({ url: server.url, db: name });
await world.open();
afterAll(async () => {
  await world.close();
  await admin.close();
  await server.stop();
});

interface Business {
  readonly _id: string;
}

const business = (client: MongoClient) => client.db(name).collection<Business>("business");
await business(admin).insertOne({ _id: "first" });
await fromMongo(admin, { database: name }).createTable();

/** What the types of the driver leave out. */
const clientOf = (session: ClientSession) =>
  (session as ClientSession & { readonly client: MongoClient }).client;

const subject: Subject<ClientSession> = {
  name: "MongoDB",
  tx: (session) => session,
  insert: (session, _id) => business(clientOf(session)).insertOne({ _id }, { session }),
  async keys(prefix) {
    const found = await business(admin)
      .find({ _id: { $regex: `^${prefix}` } })
      .sort({ _id: 1 })
      .toArray();
    return found.map(({ _id }) => _id);
  },
  async open() {
    const client = new MongoClient(server.url);
    const make = (collection: string) => fromMongo<ClientSession>(client, { database: name, collection });
    return { database: make("perdure_transactions"), elsewhere: make, close: () => client.close() };
  },
};

adapterLaws(subject);
joiningLaws(subject, world);
zombieLaws(subject);
