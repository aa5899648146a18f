import { randomUUID } from "node:crypto";
import type { World } from "@perdure/core/world";
import { sharedMongodb } from "@perdure/testbed/mongodb";
import { MongoClient } from "mongodb";
import { onTestFinished } from "vitest";
import { type MongodbWorldOptions, mongodbWorld } from "../src/index.ts";

/** Stores for the tests of this package. */

/** A database that no other test uses, on the server of this run. */
export async function temporaryDatabase(): Promise<{ url: string; db: string }> {
  const { url } = await sharedMongodb();
  return { url, db: `perdure_${randomUUID()}` };
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
