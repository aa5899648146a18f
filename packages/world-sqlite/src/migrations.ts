/**
 * Brings the tables of a namespace to the version that this package works with. Each version is applied in the same
 * transaction that records it, so any number of processes may open a store at once and a killed one leaves no half.
 */
import { WorldError } from "@perdure/core/errors";
import type { Connection } from "./connection.ts";
import { createNameTable } from "./names.ts";
import { createOutboxTable } from "./outbox.ts";
import { createTables } from "./schema.ts";
import { createStreamTables } from "./streams.ts";
import type { Tables } from "./tables.ts";

/** What leads from one version to the next: the SQL at index `n` makes version `n + 1`. Released ones never change. */
export const MIGRATIONS: readonly ((tables: Tables) => string)[] = [
  (tables) =>
    [createTables, createNameTable, createStreamTables, createOutboxTable]
      .map((create) => create(tables))
      .join(""),
];

/**
 * Applies what is missing and returns the version reached.
 *
 * @throws {WorldError} if a newer version of this package has migrated the store already
 */
export async function migrate(
  connection: Connection,
  tables: Tables,
  migrations: readonly ((tables: Tables) => string)[] = MIGRATIONS,
): Promise<number> {
  const newest = migrations.length;
  const version = await connection.read(() => readVersion(connection, tables));
  refuseNewer(version, newest, connection.location);
  if (version === newest) return newest;

  await connection.write(() => {
    connection.execute(
      "create schema table",
      `CREATE TABLE IF NOT EXISTS ${tables.schema} (version INTEGER PRIMARY KEY)`,
    );
    // Read again under the write lock: another process may have been faster.
    const held = readVersion(connection, tables);
    refuseNewer(held, newest, connection.location);
    for (const [index, migration] of migrations.entries()) {
      if (index < held) continue;
      connection.execute(`migrate to ${index + 1}`, migration(tables));
      connection.execute("record version", `INSERT INTO ${tables.schema} VALUES (${index + 1})`);
    }
  });
  return newest;
}

/** The store's version; 0 before the first migration. */
function readVersion(connection: Connection, tables: Tables): number {
  const exists = connection.prepare<{ name: string }>(
    "find schema table",
    "SELECT name FROM sqlite_schema WHERE type = 'table' AND name = ?",
  );
  if (exists.get(tables.schema) === undefined) return 0;
  const newest = connection.prepare<{ version: number | null }>(
    "read version",
    `SELECT max(version) AS version FROM ${tables.schema}`,
  );
  return newest.get()?.version ?? 0;
}

function refuseNewer(version: number, newest: number, location: string): void {
  if (version <= newest) return;
  throw new WorldError(
    `The SQLite World ${location} has schema version ${version}; this @perdure/world-sqlite knows versions up to ` +
      `${newest}. Update the package in this process.`,
    { retryable: false },
  );
}
