import type { World } from "@perdure/core/world";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";

/** A World by its name: `where` is SQLite's file, or the server's address. */
export function worldOf(name: string, where: string, namespace: string): World {
  switch (name) {
    case "sqlite":
      return sqliteWorld({ path: where });
    case "postgres":
      return postgresWorld({ url: where, namespace });
    case "redis":
      return redisWorld({ url: where, namespace });
    case "mongodb":
      return mongodbWorld({ url: where, namespace });
    default:
      throw new TypeError(`There is no World ${name}.`);
  }
}
