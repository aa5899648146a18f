/**
 * The World for those who run Postgres: all runs of an application in one schema of their database, for any number of
 * processes on any number of machines.
 */
import type { World } from "@perdure/core/world";
import { type PostgresWorldOptions, resolveConfig } from "./config.ts";
import { worldOf } from "./world.ts";

export type { PostgresWorldOptions } from "./config.ts";

/**
 * A World that keeps its journal in Postgres (14 to 18), through `pg` and Kysely. Nothing is connected before `open()`,
 * which the engine calls.
 *
 * @throws {TypeError} for options that make no sense
 *
 * @example
 * const world = postgresWorld({ url: "postgres://app@localhost/app" });
 * await world.open();
 * console.log(world.describe());
 */
export function postgresWorld(options: PostgresWorldOptions = {}): World {
  return worldOf(resolveConfig(options));
}

/**
 * Creates the schema and its tables, or brings them up to date, and returns the version reached. `open()` does the same;
 * this is for those whose workers run as a user that may not: let the owner of the schema call it before they are
 * deployed, and give the workers `migrate: false`.
 *
 * @throws {WorldError} when the database cannot be reached, or refuses
 */
export async function migratePostgres(options: PostgresWorldOptions = {}): Promise<number> {
  const world = worldOf(resolveConfig({ ...options, migrate: true, listen: false }));
  await world.open();
  const { schemaVersion } = world.describe();
  await world.close();
  return Number(schemaVersion);
}
