import type { World } from "@perdure/core/world";

/** A World by its name: `where` is SQLite's file, or the server's address. Loads the packages of that World only. */
export async function worldOf(name: string, where: string, namespace: string): Promise<World> {
  switch (name) {
    case "sqlite":
      return (await import("@perdure/world-sqlite")).sqliteWorld({ path: where });
    case "postgres":
      return (await import("@perdure/world-postgres")).postgresWorld({ url: where, namespace });
    case "redis":
      return (await import("@perdure/world-redis")).redisWorld({ url: where, namespace });
    case "mongodb":
      return (await import("@perdure/world-mongodb")).mongodbWorld({ url: where, namespace });
    default:
      throw new TypeError(`There is no World ${name}.`);
  }
}
