import type { Dialect, Row } from "../sql-rows.ts";
import { partsOf } from "../sql-rows.ts";
import { bound, type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of Knex. */
interface KnexLike<Trx> {
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
}

interface Raw {
  readonly isTransaction?: boolean;
  readonly client: { readonly config: { readonly client?: unknown }; readonly dialect?: string };
  raw(sql: string, bindings: readonly unknown[]): Promise<unknown>;
}

/**
 * Knex, on Postgres, SQLite, MySQL or MariaDB.
 *
 * @param knex the `Knex`, for {@link transactional}; a `Knex.Transaction`, for `{ tx }`
 */
export function fromKnex<Trx>(knex: KnexLike<Trx>, options: SqlOptions = {}): SqlDatabase<Trx> {
  const handle = knex as unknown as Raw;
  const isTransaction = handle.isTransaction === true;
  const run = async (on: Raw, sql: string, parameters: readonly unknown[]): Promise<readonly Row[]> => {
    const { texts, values } = partsOf(sql, parameters);
    return rowsOf(await on.raw(texts.join("?"), bound(values)));
  };
  return sqlDatabase(
    {
      adapter: "fromKnex",
      dialect: dialectOf(handle.client.dialect),
      is: { transaction: isTransaction, database: !isTransaction },
      transaction: (work) => knex.transaction(work),
      query: (trx) => (sql, parameters) => run(trx as Raw, sql, parameters),
      execute: (sql, parameters) => run(handle, sql, parameters),
    },
    options,
  );
}

function dialectOf(name: string | undefined): Dialect | undefined {
  if (name === "postgresql") return "postgres";
  if (name === "sqlite3" || name === "better-sqlite3") return "sqlite";
  return name === "mysql" || name === "mysql2" ? "mysql" : undefined;
}

/** What `raw` gives differs: rows, an object with them, or a pair of them and their columns. */
function rowsOf(result: unknown): readonly Row[] {
  if (!Array.isArray(result)) return (result as { readonly rows?: readonly Row[] }).rows ?? [];
  return Array.isArray(result[0]) ? result[0] : result;
}
