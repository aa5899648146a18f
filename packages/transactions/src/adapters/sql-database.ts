/** What the adapters of SQL libraries have in common. */
import type { SqlTransaction } from "@perdure/core/world";
import type { TransactionalDatabase } from "../database.ts";
import { isMissingTable, isPassing } from "../sql-errors.ts";
import { type Dialect, type Query, sqlRows, tableStatements } from "../sql-rows.ts";

/** Options of the adapters for databases that speak SQL. */
export interface SqlOptions {
  /** The table of this package, with its schema if it has one: `"app.perdure_transactions"`. Default `"perdure_transactions"`. */
  readonly table?: string;
  /** What the database speaks, where the library does not tell. */
  readonly dialect?: Dialect;
}

/**
 * A database, for {@link transactional}; or a transaction that is open on it, for `start(workflow, args, { tx })` and
 * `resumeHook(token, payload, { tx })`.
 */
export interface SqlDatabase<Trx> extends TransactionalDatabase<Trx>, SqlTransaction {}

/** What an adapter knows of its library. */
export interface Library<Trx> {
  /** Of the adapter, such as `fromKnex`. */
  readonly adapter: string;
  readonly dialect: Dialect | undefined;
  /** What was passed in is a transaction, or may be one; and may be a database. */
  readonly is: { readonly transaction: boolean; readonly database: boolean };
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  /** Statements with `?`. */
  query(trx: Trx): Query;
  /** A statement in the database's own notation, in the transaction that was passed in. */
  execute(sql: string, parameters: readonly unknown[]): Promise<unknown>;
}

const NAMES = { postgres: "Postgres", sqlite: "SQLite", mysql: "MySQL" };

const TABLE = /^[A-Za-z_][A-Za-z0-9_]*(\.[A-Za-z_][A-Za-z0-9_]*)?$/;

/** The table's name, checked: it becomes part of statements. */
export function tableName(table = "perdure_transactions"): string {
  if (TABLE.test(table)) return table;
  throw new TypeError(
    `table: must be a name of letters, digits and "_", or a schema and a name, got ${JSON.stringify(table)}.`,
  );
}

export function sqlDatabase<Trx>(library: Library<Trx>, options: SqlOptions): SqlDatabase<Trx> {
  const { adapter, is } = library;
  const dialect = options.dialect ?? library.dialect;
  if (dialect === undefined || !Object.hasOwn(NAMES, dialect)) {
    throw new TypeError(
      `${adapter}(): which database it is cannot be told, or it is none of Postgres, SQLite, MySQL and MariaDB. Pass { dialect: "postgres" }, "sqlite" or "mysql".`,
    );
  }
  const table = tableName(options.table);

  async function transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T> {
    if (is.database) return await library.transaction(work);
    throw new TypeError(
      `${adapter}(): transactional() begins transactions of its own: pass the database, not a transaction.`,
    );
  }

  return {
    name: `${NAMES[dialect]} (${adapter})`,
    table,
    transaction,
    rows: (trx) => sqlRows(dialect, table, library.query(trx)),
    async createTable() {
      for (const statement of tableStatements(dialect, table)) {
        await transaction(async (trx) => void (await library.query(trx)(statement, [])));
      }
    },
    isPassing,
    isMissingTable: (error) => isMissingTable(error, table),
    async execute(sql, parameters) {
      if (is.transaction) return await library.execute(sql, parameters);
      throw new TypeError(
        `${adapter}(): tx must be a transaction that is open, and this is the database: pass ${adapter}(trx).`,
      );
    },
  };
}

/** Bytes as every driver takes them. */
export function bound(parameters: readonly unknown[]): unknown[] {
  return parameters.map((each) =>
    each instanceof Uint8Array ? Buffer.from(each.buffer, each.byteOffset, each.byteLength) : each,
  );
}
