import { DatabaseSync } from "node:sqlite";
import { Kysely, MysqlDialect, PostgresDialect, SqliteDialect, type Transaction } from "kysely";
import Libsql from "libsql";
import mysql from "mysql2";
import pg from "pg";
import { fromKysely } from "../src/index.ts";
import type { Connection, Subject } from "./programs.ts";

/** Kysely, on each of its databases. */

/** Where the database is, and how tests look into it. */
export interface Place {
  readonly url: string;
  readonly keys: Subject<never>["keys"];
}

export interface Business {
  business: { id: string };
}

export function connection<Trx>(
  make: (options: { table?: string }) => Connection<Trx>["database"],
  close: () => Promise<unknown>,
): Connection<Trx> {
  return { database: make({}), elsewhere: (table) => make({ table }), close };
}

function kyselySubject(
  name: string,
  { keys }: Place,
  open: () => Kysely<Business>,
): Subject<Transaction<Business>> {
  return {
    name: `Kysely on ${name}`,
    keys,
    tx: (trx) => fromKysely(trx),
    insert: (trx, id) => trx.insertInto("business").values({ id }).execute(),
    async open() {
      const db = open();
      return connection(
        (options) => fromKysely(db, options),
        () => db.destroy(),
      );
    },
  };
}

export function kyselyOnPostgres(place: Place): Subject<Transaction<Business>> {
  return kyselySubject("Postgres", place, () => {
    const pool = new pg.Pool({ connectionString: place.url, max: 3 });
    return new Kysely({ dialect: new PostgresDialect({ pool }) });
  });
}

export function kyselyOnMariadb(place: Place): Subject<Transaction<Business>> {
  return kyselySubject("MariaDB", place, () => {
    const pool = mysql.createPool({ uri: place.url, connectionLimit: 3 });
    return new Kysely({ dialect: new MysqlDialect({ pool }) });
  });
}

/** On Node's own SQLite, as the World of SQLite is: two copies of SQLite in one process do not see each other's locks. */
export function kyselyOnNodeSqlite(place: Place): Subject<Transaction<Business>> {
  return kyselySubject("Node's SQLite", place, () => {
    const database = new DatabaseSync(place.url);
    const prepare = (text: string) => {
      const statement = database.prepare(text);
      const rows = (values: readonly unknown[]) => statement.all(...(values as string[]));
      return { reader: statement.columns().length > 0, all: rows, run: rows, iterate: rows };
    };
    const close = (): void => database.close();
    return new Kysely({ dialect: new SqliteDialect({ database: { prepare, close } as never }) });
  });
}

export function kyselyOnSqlite(place: Place): Subject<Transaction<Business>> {
  return kyselySubject(
    "SQLite",
    place,
    () => new Kysely({ dialect: new SqliteDialect({ database: libsql(place) }) }),
  );
}

/** A driver with the interface of better-sqlite3, which needs no compiler to be installed. */
function libsql({ url }: Place): never {
  return new Libsql(url, { timeout: 20 } as never) as never;
}
