import { sharedMongodb } from "@perdure/testbed/mongodb";
import { describeWorld } from "@perdure/world-testkit";
import { MongoClient } from "mongodb";
import { mongodbWorld } from "../src/index.ts";
import { dropDatabase, temporaryDatabase } from "./store.ts";

const { source, partial } = await sharedMongodb();

describeWorld({
  name: `mongodb (${partial === null ? source : `partial server ${source}`})`,
  timeout: 120_000,
  async create() {
    const store = await temporaryDatabase();
    const clients = new Map<unknown, MongoClient>();
    return {
      async open(options) {
        const client = new MongoClient(store.url, { maxPoolSize: 20 });
        const world = mongodbWorld({ client, db: store.db, clock: "caller", ...options });
        clients.set(world, client);
        return world;
      },
      async kill(world) {
        await clients.get(world)?.close(true);
      },
      async destroy() {
        await Promise.all([...clients.values()].map((client) => client.close(true)));
        await dropDatabase(store);
      },
    };
  },
});
