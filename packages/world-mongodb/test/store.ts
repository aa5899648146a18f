import { randomUUID } from "node:crypto";
import type { CreateRun, World } from "@perdure/core/world";
import { type Mongodb, sharedMongodb } from "@perdure/testbed/mongodb";
import { CLAIM_ID } from "@perdure/testbed/requests";
import type { WorldTarget } from "@perdure/world-testkit";
import { type Document, MongoClient } from "mongodb";
import { onTestFinished } from "vitest";
import { type MongodbWorldOptions, mongodbWorld } from "../src/index.ts";
import { type Entry, inOrder, type Numbered } from "../src/schema.ts";

/** Stores for the tests of this package. */

/** A first lease. */
export const lease: NonNullable<CreateRun["lease"]> = { owner: "w", claimId: CLAIM_ID, ttl: 30_000 };

/** A name that no other database has. */
export function newDatabase(): string {
  return `perdure_${randomUUID()}`;
}

/** A database that no other test uses, on the server of this run. */
export async function temporaryDatabase(): Promise<{ url: string; db: string }> {
  const { url } = await sharedMongodb();
  return { url, db: newDatabase() };
}

/** Removes a database, where the server can. */
export async function dropDatabase({ url, db }: { url: string; db: string }): Promise<void> {
  const client = new MongoClient(url);
  try {
    await client.db(db).dropDatabase();
  } catch {
    // A partial server has no such command; what it holds ends with it.
  } finally {
    await client.close();
  }
}

/** An open World that is closed after the test. */
export async function openWorld(options: MongodbWorldOptions): Promise<World> {
  const world = mongodbWorld({ clock: "caller", ...options });
  onTestFinished(() => world.close());
  await world.open();
  return world;
}

/** The server of a test, as titles name it. */
export function serverTitle({ source, partial }: Mongodb): string {
  return `mongodb (${partial === null ? source : `partial server ${source}`})`;
}

/** The numbers of the events that a part of a journal has, one by one or in packs. */
function eventsIn(journal: Numbered<Entry>): number[] {
  return inOrder(journal).flatMap(([last, entry]) => {
    const first = "first" in entry ? entry.first : last;
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** A new store on a server, for the laws. */
export function targetOn(url: string): WorldTarget {
  const store = { url, db: newDatabase() };
  const clients = new Map<unknown, MongoClient>();
  return {
    async open(options) {
      const client = new MongoClient(url, { maxPoolSize: 20 });
      const world = mongodbWorld({ client, db: store.db, clock: "caller", ...options });
      clients.set(world, client);
      return world;
    },
    openByOwnClock: async () => mongodbWorld(store),
    async kill(world) {
      await clients.get(world)?.close(true);
    },
    async stored() {
      const client = new MongoClient(url);
      const all = (name: string) => client.db(store.db).collection(`perdure_${name}`).find().toArray();
      const names = ["runs", "events", "mail", "records"];
      const [runs = [], segments = [], mail = [], records = []] = await Promise.all(names.map(all));
      await client.close();
      const journals = [...runs.map(({ tail }) => tail), ...segments.map(({ events }) => events)];
      return { events: journals.flatMap(eventsIn).length, messages: mail.length, records: records.length };
    },
    async begin() {
      const client = new MongoClient(url);
      const transaction = client.startSession();
      transaction.startTransaction();
      const close = () => client.close();
      return {
        transaction,
        commit: () => transaction.commitTransaction().finally(close),
        rollback: () => transaction.abortTransaction().finally(close),
      };
    },
    async destroy() {
      await Promise.all([...clients.values()].map((client) => client.close(true)));
      await dropDatabase(store);
    },
  };
}

/** All documents of a collection. */
export async function documents({ url, db }: { url: string; db: string }, name: string): Promise<Document[]> {
  const client = new MongoClient(url);
  onTestFinished(() => client.close());
  return client.db(db).collection(name).find({}).toArray();
}
