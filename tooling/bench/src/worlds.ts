/** The Worlds that can be measured. A new one is one entry here; everything else is the same for all. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { sqliteWorld } from "@perdure/world-sqlite";
import type { BenchWorld } from "./bench-world.ts";
import { mongodbStore } from "./mongodb-store.ts";
import { postgresStore } from "./postgres-store.ts";
import { openRawSqlite } from "./raw-sqlite.ts";
import { redisStore } from "./redis-store.ts";

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
