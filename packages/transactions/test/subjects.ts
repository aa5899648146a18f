import { createClient } from "@libsql/client";
import { PrismaLibSql } from "@prisma/adapter-libsql";
import { PrismaPg } from "@prisma/adapter-pg";
import { sql as drizzleSql } from "drizzle-orm";
import { drizzle as libsqlDrizzle } from "drizzle-orm/libsql";
import { drizzle as pgDrizzle } from "drizzle-orm/node-postgres";
import knex, { type Knex } from "knex";
// @ts-expect-error: Knex has no types for its dialects.
import BetterSqlite from "knex/lib/dialects/better-sqlite3/index.js";
import Libsql from "libsql";
import pg from "pg";
import { DataSource, type EntityManager } from "typeorm";
import { fromDrizzle, fromKnex, fromPg, fromPrisma, fromTypeOrm } from "../src/index.ts";
import { connection, type Place } from "./kysely-subjects.ts";
import { prismaClient } from "./prisma-client.ts";
import type { Subject } from "./programs.ts";

/** The other libraries, each on its databases. */

export function pgOnPostgres(place: Place): Subject<pg.PoolClient> {
  return {
    name: "pg on Postgres",
    keys: place.keys,
    tx: (trx) => fromPg(trx),
    insert: (client, id) => client.query("INSERT INTO business VALUES ($1)", [id]),
    async open() {
      const pool = new pg.Pool({ connectionString: place.url, max: 3 });
      return connection(
        (options) => fromPg<pg.PoolClient>(pool, options),
        () => pool.end(),
      );
    },
  };
}

function knexSubject(name: string, place: Place, config: () => Knex.Config): Subject<Knex.Transaction> {
  return {
    name: `Knex on ${name}`,
    keys: place.keys,
    tx: (trx) => fromKnex(trx),
    insert: (trx, id) => trx("business").insert({ id }),
    async open() {
      const db = knex(config());
      return connection(
        (options) => fromKnex<Knex.Transaction>(db, options),
        () => db.destroy(),
      );
    },
  };
}

export function knexOnPostgres(place: Place): Subject<Knex.Transaction> {
  return knexSubject("Postgres", place, () => ({
    client: "pg",
    connection: place.url,
    pool: { min: 0, max: 3 },
  }));
}

export function knexOnSqlite(place: Place): Subject<Knex.Transaction> {
  // The client for better-sqlite3 on another driver with its interface, which needs no compiler to be installed.
  class Client extends BetterSqlite {
    _driver(): unknown {
      return Libsql;
    }
  }
  return knexSubject("SQLite", place, () => ({
    client: Client as never,
    connection: { filename: place.url },
    useNullAsDefault: true,
  }));
}

function typeOrmSubject(name: string, place: Place, source: () => DataSource): Subject<EntityManager> {
  return {
    name: `TypeORM on ${name}`,
    keys: place.keys,
    tx: (trx) => fromTypeOrm(trx),
    insert: (manager, id) => manager.createQueryBuilder().insert().into("business").values({ id }).execute(),
    async open() {
      const dataSource = await source().initialize();
      return connection(
        (options) => fromTypeOrm<EntityManager>(dataSource, options),
        () => dataSource.destroy(),
      );
    },
  };
}

export function typeOrmOnPostgres(place: Place): Subject<EntityManager> {
  return typeOrmSubject("Postgres", place, () => new DataSource({ type: "postgres", url: place.url }));
}

export function typeOrmOnSqlite(place: Place): Subject<EntityManager> {
  return typeOrmSubject(
    "SQLite",
    place,
    () => new DataSource({ type: "better-sqlite3", database: place.url, driver: Libsql }),
  );
}

type PgDrizzleTrx = Parameters<Parameters<ReturnType<typeof pgDrizzle>["transaction"]>[0]>[0];

export function drizzleOnPostgres(place: Place): Subject<PgDrizzleTrx> {
  return {
    name: "Drizzle on Postgres",
    keys: place.keys,
    tx: (trx) => fromDrizzle(trx),
    insert: (tx, id) => tx.execute(drizzleSql`INSERT INTO business VALUES (${id})`),
    async open() {
      const pool = new pg.Pool({ connectionString: place.url, max: 3 });
      const db = pgDrizzle(pool);
      return connection(
        (options) => fromDrizzle<PgDrizzleTrx>(db, options),
        () => pool.end(),
      );
    },
  };
}

type SqliteDrizzleTrx = Parameters<Parameters<ReturnType<typeof libsqlDrizzle>["transaction"]>[0]>[0];

export function drizzleOnSqlite(place: Place): Subject<SqliteDrizzleTrx> {
  return {
    name: "Drizzle on SQLite",
    keys: place.keys,
    tx: (trx) => fromDrizzle(trx),
    insert: (tx, id) => tx.run(drizzleSql`INSERT INTO business VALUES (${id})`),
    async open() {
      const client = createClient({ url: `file:${place.url}` });
      const db = libsqlDrizzle(client);
      return connection(
        (options) => fromDrizzle<SqliteDrizzleTrx>(db, options),
        async () => client.close(),
      );
    },
  };
}

/** What is used of a generated client. */
interface PrismaTrx {
  business: { create(input: { data: { id: string } }): Promise<unknown> };
}

function prismaSubject(
  name: string,
  provider: "postgresql" | "sqlite",
  place: Place,
  adapter: () => object,
): Subject<PrismaTrx> {
  return {
    name: `Prisma on ${name}`,
    keys: place.keys,
    tx: (trx) => fromPrisma(trx as never, { dialect: provider === "sqlite" ? "sqlite" : "postgres" }),
    insert: (trx, id) => trx.business.create({ data: { id } }),
    async open() {
      const PrismaClient = await prismaClient(provider);
      const prisma = new PrismaClient({ adapter: adapter() });
      return connection(
        (options) => fromPrisma<PrismaTrx>(prisma, options),
        () => prisma.$disconnect(),
      );
    },
  };
}

export function prismaOnPostgres(place: Place): Subject<PrismaTrx> {
  return prismaSubject("Postgres", "postgresql", place, () => new PrismaPg({ connectionString: place.url }));
}

export function prismaOnSqlite(place: Place): Subject<PrismaTrx> {
  return prismaSubject("SQLite", "sqlite", place, () => new PrismaLibSql({ url: `file:${place.url}` }));
}
