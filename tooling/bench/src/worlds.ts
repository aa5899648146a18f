/** The Worlds that can be measured. A new one is one entry here; everything else is the same for all. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { World } from "@perdure/core/world";
import { sqliteWorld } from "@perdure/world-sqlite";
import { mongodbStore } from "./mongodb-store.ts";
import { postgresStore } from "./postgres-store.ts";
import { openRawSqlite, type RawStore } from "./raw-sqlite.ts";
import { redisStore } from "./redis-store.ts";
import type { Sizes } from "./sizes.ts";

/** What the benchmark needs to know of a World. Each folder is a store of its own. */
export interface BenchWorld {
  readonly name: string;
  /** Brings up what all stores need, such as a server; returns what ends it. */
  prepare?(): Promise<() => Promise<void>>;
  /** The work that is done of what was asked for: less where the store found cannot take it. Default: all. */
  sizes?(asked: Sizes): Sizes;
  /** What to know of the store beside what the World describes. */
  about?(): Readonly<Record<string, string | number>>;
  /** The World as a user gets it, with its default settings. */
  create(folder: string): World;
  /** The same store with the same durability, through its bare driver. */
  openRaw(folder: string): Promise<RawStore>;
  /** Bytes that the closed store takes. */
  bytes(folder: string): number | Promise<number>;
}

const sqliteFile = (folder: string): string => join(folder, "perdure.db");

/** By the name that `--world` takes. */
export const worlds: Readonly<Record<string, BenchWorld>> = {
  sqlite: {
    name: "sqlite",
    create: (folder) => sqliteWorld({ path: sqliteFile(folder) }),
    openRaw: async (folder) => openRawSqlite(join(folder, "raw.db")),
    bytes: (folder) => {
      const database = new DatabaseSync(sqliteFile(folder));
      database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      database.close();
      return readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    },
  },
  postgres: postgresStore(),
  redis: redisStore("redis", "everysec"),
  "redis-aof": redisStore("redis-aof", "always"),
  mongodb: mongodbStore(),
};
