/**
 * Brings the collections of a namespace to the version that this package works with. Creating an index that is there is
 * nothing, so any number of processes may open a store at once and a killed one leaves no half.
 */
import { randomUUID } from "node:crypto";
import { WorldError } from "@perdure/core/errors";
import type { Connection } from "./connection.ts";
import { type Collections, indexesOf } from "./schema.ts";

/** The version of `schema.ts`. */
export const VERSION = 1;

/** What a store is. */
export interface SchemaDocument {
  readonly _id: string;
  readonly version: number;
  /** Tells this store from those in other databases and on other servers. */
  readonly store: string;
}

/**
 * Creates what is missing and returns what the store is then.
 *
 * @throws {WorldError} if a newer version of this package has migrated the store already
 */
export async function migrate(connection: Connection, collections: Collections): Promise<SchemaDocument> {
  const find = () => connection.find<SchemaDocument>("find version", collections.schema, { _id: "version" });
  const [held] = await find();
  if (held !== undefined && held.version > VERSION) {
    throw new WorldError(
      `The MongoDB World ${connection.location} has schema version ${held.version}; this @perdure/world-mongodb ` +
        `knows versions up to ${VERSION}. Update the package in this process.`,
      { retryable: false },
    );
  }
  if (held?.version === VERSION) return held;
  for (const [name, indexes] of indexesOf(collections)) await connection.createIndexes(name, indexes);
  // Last: a store that has its version has its indexes.
  const made: SchemaDocument = { _id: "version", version: VERSION, store: randomUUID() };
  if (await connection.insert("insert version", collections.schema, [made])) return made;
  return migrate(connection, collections);
}
