import type { Dialect, Row } from "../sql-rows.ts";
import { partsOf } from "../sql-rows.ts";
import { bound, type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of a database of Drizzle. */
interface DrizzleLike<Trx> {
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
}

interface Handle {
  /** SQLite. */
  readonly resultKind?: "sync" | "async";
  all?(query: unknown): Promise<readonly Row[]>;
  /** The others. */
  execute?(query: unknown): Promise<unknown>;
  /** Of a transaction. */
  rollback?: unknown;
}

const ENTITY_KIND = Symbol.for("drizzle:entityKind");

/**
 * Drizzle, on Postgres, SQLite, MySQL or MariaDB. Of the drivers for SQLite those that are asynchronous, such as libSQL's: on the
 * connection of the others nobody can wait within a transaction.
 *
 * @param db the database, for {@link transactional}; a transaction, for `{ tx }`
 */
export function fromDrizzle<Trx>(db: DrizzleLike<Trx>, options: SqlOptions = {}): SqlDatabase<Trx> {
  const handle = db as unknown as Handle;
  if (handle.resultKind === "sync") {
    throw new TypeError(
      "fromDrizzle(): this driver for SQLite is synchronous, so whatever else the program does on its connection would get into " +
        "the transaction. Use drizzle-orm/libsql, or Kysely or Knex.",
    );
  }
  const isTransaction = typeof handle.rollback === "function";
  return sqlDatabase(
    {
      adapter: "fromDrizzle",
      dialect: dialectOf(handle),
      is: { transaction: isTransaction, database: !isTransaction },
      transaction: (work) => db.transaction(work),
      query: (trx) => (sql, parameters) => run(trx as Handle, sql, parameters),
      execute: (sql, parameters) => run(handle, sql, parameters),
    },
    options,
  );
}

async function run(on: Handle, text: string, parameters: readonly unknown[]): Promise<readonly Row[]> {
  const { sql } = await import("drizzle-orm");
  const { texts, values } = partsOf(text, parameters);
  const chunks = texts.flatMap((part, index) =>
    index === 0 ? [sql.raw(part)] : [sql.param(bound(values)[index - 1]), sql.raw(part)],
  );
  const query = sql.join(chunks);
  if (on.resultKind !== undefined) return (await on.all?.(query)) ?? [];
  const result = await on.execute?.(query);
  if (!Array.isArray(result)) return (result as { readonly rows?: readonly Row[] }).rows ?? [];
  return Array.isArray(result[0]) ? result[0] : result;
}

function dialectOf(db: object): Dialect | undefined {
  for (let type = db.constructor as Kinded | null; type !== null; type = Object.getPrototypeOf(type)) {
    const kind = Object.hasOwn(type, ENTITY_KIND) ? type[ENTITY_KIND] : undefined;
    if (kind === "PgDatabase") return "postgres";
    if (kind === "BaseSQLiteDatabase") return "sqlite";
    if (kind === "MySqlDatabase") return "mysql";
  }
  return undefined;
}

interface Kinded {
  readonly [ENTITY_KIND]?: string;
}
