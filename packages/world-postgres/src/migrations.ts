/**
 * Brings the tables of a namespace to the version that this package works with. All versions that are missing are applied
 * in one transaction under an advisory lock, so any number of processes may open a store at once and a killed one leaves
 * no half. Level READ COMMITTED: the version is read again under the lock.
 */
import { WorldError } from "@perdure/core/errors";
import { CompiledQuery } from "kysely";
import type { Execute } from "./calls.ts";
import type { Connection } from "./connection.ts";
import { createTables, FIRST_COLUMNS } from "./schema.ts";
import type { Tables } from "./tables.ts";

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
  const ask = (text: string, values: readonly unknown[] = []) =>
    connection.query("read version", () => CompiledQuery.raw(text, [...values]));
  const version = await readVersion(ask, tables, connection.location);
  refuseNewer(version, newest, connection.location);
  if (version === newest) return { from: version, to: newest };
  if (check) {
    throw new WorldError(
      `The Postgres World ${connection.location} has schema version ${version}, and this package needs ${newest}. ` +
        "Migrate it first, or leave out `migrate: false`.",
      { retryable: false },
    );
  }
  const from = await connection.transaction("migrate", async (execute) => {
    const act = async (operation: string, text: string): Promise<void> => {
      await connection.operation(operation);
      await execute(text);
    };
    await act("lock", `SELECT pg_advisory_xact_lock(${tables.locks}::bigint)`);
    // Read again under the lock: another process may have been faster.
    const held = await readVersion(execute, tables, connection.location);
    refuseNewer(held, newest, connection.location);
    if (held === newest) return held;
    if ((await execute("SELECT FROM pg_namespace WHERE nspname = $1", [tables.schema])).length === 0) {
      // It needs a right on the database even where the schema exists.
      await act("create schema", `CREATE SCHEMA IF NOT EXISTS "${tables.schema}"`);
    }
    await act(
      "create version table",
      `CREATE TABLE IF NOT EXISTS ${tables.versions} (version int PRIMARY KEY)`,
    );
    for (const [index, migration] of migrations.entries()) {
      if (index < held) continue;
      await act(`migrate to ${index + 1}`, migration(tables));
      await act("record version", `INSERT INTO ${tables.versions} VALUES (${index + 1})`);
    }
    return held;
  });
  return { from, to: newest };
}

/**
 * The store's version; 0 before the first migration.
 *
 * @throws {WorldError} where a table has the name of one of ours and is another's
 */
async function readVersion(ask: Execute, tables: Tables, location: string): Promise<number> {
  // A query, and not to_regclass(): that may answer from what this session looked up before it waited for the lock.
  const found = (await ask(
    `SELECT c.relname AS name, array_to_string(array_agg(a.attname ORDER BY a.attnum), ',') AS columns
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
     JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
     WHERE n.nspname = $1 AND c.relname = ANY ($2::text[]) GROUP BY c.relname`,
    [tables.schema, Object.keys(FIRST_COLUMNS).map((name) => tables.prefix + name)],
  )) as readonly { readonly name: string; readonly columns: string }[];
  const columnsOf = (name: string) => found.find((table) => table.name === tables.prefix + name)?.columns;
  const hasVersions = columnsOf("versions") === "version";
  const rows = hasVersions ? await ask(`SELECT max(version) AS version FROM ${tables.versions}`) : [];
  const version = (rows[0] as { readonly version: number | null } | undefined)?.version ?? 0;
  // Before the first migration only the table of versions may be there, and after it all of them are.
  const isForeign = (name: string, first: string): boolean => {
    const columns = columnsOf(name);
    if (columns === undefined) return false;
    if (name === "versions") return !hasVersions || (version > 0 && columnsOf("runs") === undefined);
    return version === 0 || !`${columns},`.startsWith(`${first},`);
  };
  const foreign = Object.entries(FIRST_COLUMNS).find(([name, first]) => isForeign(name, first));
  if (foreign !== undefined) {
    throw new WorldError(
      `The Postgres World ${location} cannot have its tables: "${tables.prefix}${foreign[0]}" is there already and is not Perdure's. ` +
        "Give it another `schema`, or a `namespace`.",
      { retryable: false },
    );
  }
  return version;
}

function refuseNewer(version: number, newest: number, location: string): void {
  if (version <= newest) return;
  throw new WorldError(
    `The Postgres World ${location} has schema version ${version}; this @perdure/world-postgres knows versions up to ` +
      `${newest}. Update the package in this process.`,
    { retryable: false },
  );
}
