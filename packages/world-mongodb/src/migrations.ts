/**
 * Brings the collections of a namespace to the version that this package works with. Creating an index that is there is
 * nothing, so any number of processes may open a store at once and a killed one leaves no half.
 */
import { WorldError } from "@perdure/core/errors";
import type { Connection } from "./connection.ts";
import { type Collections, indexesOf } from "./schema.ts";

/** The version of `schema.ts`. */
export const VERSION = 1;

interface SchemaDocument {
  readonly _id: string;
  readonly version: number;
}

/**
 * Creates what is missing and returns the version reached.
 *
 * @throws {WorldError} if a newer version of this package has migrated the store already
 */
export async function migrate(connection: Connection, collections: Collections): Promise<number> {
  const [held] = await connection.find<SchemaDocument>("find version", collections.schema, {
    _id: "version",
  });
  if (held !== undefined && held.version > VERSION) {
    throw new WorldError(
      `The MongoDB World ${connection.location} has schema version ${held.version}; this @perdure/world-mongodb ` +
        `knows versions up to ${VERSION}. Update the package in this process.`,
      { retryable: false },
    );
  }
  if (held?.version === VERSION) return VERSION;
  for (const [name, indexes] of indexesOf(collections)) await connection.createIndexes(name, indexes);
  // Last: a store that has its version has its indexes.
  await connection.insert("insert version", collections.schema, [{ _id: "version", version: VERSION }]);
  return VERSION;
}
