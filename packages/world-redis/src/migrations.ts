/**
 * Makes the partitions of a store, each by one atomic script, or finds out how many it has. Any number of processes may
 * do so at once, and a killed one leaves partitions that the next one completes.
 */
import { WorldError } from "@perdure/core/errors";
import type { Connection } from "./connection.ts";
import { OPEN } from "./lua/migrations.ts";
import { type Reply, SCHEMA_VERSION } from "./schema.ts";
import { writing } from "./script.ts";

const openPartition = writing("open partition", OPEN);

/**
 * The number of partitions that the store has; a new one gets `wanted`. Until then partition 0 alone is known.
 *
 * @throws {WorldError} if a newer version of this package made the store
 */
export async function openFirst(connection: Connection, wanted: number): Promise<number> {
  const reply = await connection.run(openPartition, 0, [String(SCHEMA_VERSION), String(wanted)]);
  const [version, partitions] = (reply as readonly Reply[]).map(Number) as [number, number];
  if (version > SCHEMA_VERSION) {
    throw new WorldError(
      `The store at ${connection.location} has schema version ${version}; this @perdure/world-redis knows versions up to ` +
        `${SCHEMA_VERSION}. Update the package in this process.`,
      { retryable: false },
    );
  }
  return partitions;
}

/** Makes the other partitions, where they are missing. */
export async function openRest(connection: Connection): Promise<void> {
  const { count } = connection.partitions;
  for (let partition = 1; partition < count; partition++) {
    await connection.run(openPartition, partition, [String(SCHEMA_VERSION), String(count)]);
  }
}
