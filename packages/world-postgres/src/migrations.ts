/**
 * Brings the tables of a namespace to the version that this package works with. All versions that are missing are applied
 * in one transaction under an advisory lock, so any number of processes may open a store at once and a killed one leaves
 * no half. Level READ COMMITTED: the version is read again under the lock.
 */
import { WorldError } from "@perdure/core/errors";
import { type Kysely, sql } from "kysely";
import type { Connection } from "./connection.ts";
import { createTables, type Schema, type Tables } from "./schema.ts";

/** What leads from one version to the next: the SQL at index `n` makes version `n + 1`. Released ones never change. */
export const MIGRATIONS: readonly ((tables: Tables) => string)[] = [createTables];

/** The versions of a store before and after a migration; the same where nothing was missing. */
export interface Versions {
  /** 0 where there were no tables. */
  readonly from: number;
  readonly to: number;
}

/**
 * Applies what is missing. With `check`, it only looks.
 *
 * @throws {WorldError} if a newer version of this package has migrated the store already, or, with `check`, none
 */
export async function migrate(
  connection: Connection,
  tables: Tables,
  { check = false, migrations = MIGRATIONS }: { check?: boolean; migrations?: typeof MIGRATIONS } = {},
): Promise<Versions> {
  const newest = migrations.length;
  const version = await connection.run("read version", (db) => readVersion(db, tables));
  refuseNewer(version, newest, connection.location);
  if (version === newest) return { from: version, to: newest };
  if (check) {
    throw new WorldError(
      `The Postgres World ${connection.location} has schema version ${version}, and this package needs ${newest}. ` +
        "Migrate it first, or leave out `migrate: false`.",
      { retryable: false },
    );
  }
  const from = await connection.run("migrate", (db) =>
    db
      .transaction()
      .setIsolationLevel("read committed")
      .execute(async (transaction) => {
        const execute = async (operation: string, text: string): Promise<void> => {
          await connection.operation(operation);
          await sql.raw(text).execute(transaction);
        };
        await execute("lock", `SELECT pg_advisory_xact_lock(${tables.locks}::bigint)`);
        // Read again under the lock: another process may have been faster.
        const held = await readVersion(transaction, tables);
        refuseNewer(held, newest, connection.location);
        if (held === newest) return held;
        if (!(await schemaExists(transaction, tables.schema))) {
          await execute("create schema", `CREATE SCHEMA IF NOT EXISTS "${tables.schema}"`);
        }
        await execute(
          "create version table",
          `CREATE TABLE IF NOT EXISTS ${tables.versions} (version int PRIMARY KEY)`,
        );
        for (const [index, migration] of migrations.entries()) {
          if (index < held) continue;
          await execute(`migrate to ${index + 1}`, migration(tables));
          await execute("record version", `INSERT INTO ${tables.versions} VALUES (${index + 1})`);
        }
        return held;
      }),
  );
  return { from, to: newest };
}

/** The store's version; 0 before the first migration. */
async function readVersion(db: Kysely<Schema>, tables: Tables): Promise<number> {
  // A query, and not to_regclass(): that may answer from what this session looked up before it waited for the lock.
  const found = await sql`
    SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = ${tables.schema} AND c.relname = ${`${tables.prefix}versions`}`.execute(db);
  if (found.rows.length === 0) return 0;
  const newest = await sql<{ version: number | null }>`SELECT max(version) AS version FROM ${sql.raw(
    tables.versions,
  )}`.execute(db);
  return newest.rows[0]?.version ?? 0;
}

// CREATE SCHEMA needs a right on the database even where the schema exists.
async function schemaExists(db: Kysely<Schema>, schema: string): Promise<boolean> {
  const { rows } = await sql`SELECT FROM pg_namespace WHERE nspname = ${schema}`.execute(db);
  return rows.length > 0;
}

function refuseNewer(version: number, newest: number, location: string): void {
  if (version <= newest) return;
  throw new WorldError(
    `The Postgres World ${location} has schema version ${version}; this @perdure/world-postgres knows versions up to ` +
      `${newest}. Update the package in this process.`,
    { retryable: false },
  );
}
