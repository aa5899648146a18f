import type { Dialect, Row } from "../sql-rows.ts";
import { numbered } from "../sql-rows.ts";
import { bound, type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of a `DataSource`, or of an `EntityManager`. */
interface TypeOrmLike<Manager> {
  transaction<T>(work: (manager: Manager) => Promise<T>): Promise<T>;
}

interface Handle {
  readonly options?: { readonly type: string };
  readonly connection?: { readonly options: { readonly type: string } };
  readonly queryRunner?: { readonly isTransactionActive: boolean };
  query(sql: string, parameters: unknown[]): Promise<unknown>;
}

/**
 * TypeORM, on Postgres, SQLite, MySQL or MariaDB.
 *
 * @param dataSource the `DataSource`, for {@link transactional}; the `EntityManager` of a transaction, for `{ tx }`
 */
export function fromTypeOrm<Manager>(
  dataSource: TypeOrmLike<Manager>,
  options: SqlOptions = {},
): SqlDatabase<Manager> {
  const handle = dataSource as unknown as Handle;
  const type = handle.options?.type ?? handle.connection?.options.type;
  const isTransaction = handle.queryRunner?.isTransactionActive === true;
  const dialect = options.dialect ?? dialectOf(type);
  return sqlDatabase(
    {
      adapter: "fromTypeOrm",
      dialect,
      is: { transaction: isTransaction, database: !isTransaction },
      transaction: (work) => dataSource.transaction(work),
      query: (manager) => async (sql, parameters) => {
        const text = dialect === "postgres" ? numbered(sql) : sql;
        const rows = await (manager as Handle).query(text, [...parameters]);
        return Array.isArray(rows) ? (rows as readonly Row[]) : [];
      },
      execute: (sql, parameters) => handle.query(sql, bound(parameters)),
    },
    options,
  );
}

function dialectOf(type: string | undefined): Dialect | undefined {
  if (type === "postgres" || type === "aurora-postgres") return "postgres";
  if (type === "sqlite" || type === "better-sqlite3") return "sqlite";
  return type === "mysql" || type === "mariadb" || type === "aurora-mysql" ? "mysql" : undefined;
}
