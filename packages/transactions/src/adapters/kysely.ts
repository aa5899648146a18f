import type { Dialect, Row } from "../sql-rows.ts";
import { numbered } from "../sql-rows.ts";
import { bound, type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of Kysely. */
interface KyselyLike<Trx> {
  transaction(): { execute<T>(work: (trx: Trx) => Promise<T>): Promise<T> };
}

interface Executor {
  readonly isTransaction: boolean;
  getExecutor(): {
    readonly adapter: {
      readonly supportsTransactionalDdl: boolean;
      readonly supportsReturning: boolean;
    };
  };
  withoutPlugins(): {
    executeQuery(query: object): Promise<{ readonly rows: readonly Row[] }>;
  };
}

/**
 * Kysely, on Postgres, SQLite, MySQL or MariaDB.
 *
 * @param db the `Kysely`, for {@link transactional}; a `Transaction` of it, for `{ tx }`
 */
export function fromKysely<Trx>(db: KyselyLike<Trx>, options: SqlOptions = {}): SqlDatabase<Trx> {
  const handle = db as unknown as Executor;
  const dialect = options.dialect ?? dialectOf(handle);
  const run = (on: Executor, sql: string, parameters: readonly unknown[]) =>
    on.withoutPlugins().executeQuery(compiled(sql, parameters));
  return sqlDatabase(
    {
      adapter: "fromKysely",
      dialect,
      is: { transaction: handle.isTransaction, database: !handle.isTransaction },
      transaction: (work) => db.transaction().execute(work),
      query: (trx) => async (sql, parameters) =>
        (await run(trx as Executor, dialect === "postgres" ? numbered(sql) : sql, parameters)).rows,
      execute: (sql, parameters) => run(handle, sql, bound(parameters)),
    },
    options,
  );
}

function dialectOf(db: Executor): Dialect | undefined {
  const { supportsTransactionalDdl, supportsReturning } = db.getExecutor().adapter;
  if (supportsReturning) return supportsTransactionalDdl ? "postgres" : "sqlite";
  return supportsTransactionalDdl ? undefined : "mysql";
}

/** What `CompiledQuery.raw` makes. */
function compiled(sql: string, parameters: readonly unknown[]): object {
  const query = { kind: "RawNode", sqlFragments: [sql], parameters: [] };
  return { sql, parameters, query, queryId: { queryId: crypto.randomUUID() } };
}
