/**
 * The World for those who run Postgres: all runs of an application in one schema of their database, for any number of
 * processes on any number of machines.
 */
import type { World } from "@perdure/core/world";
import { type PostgresWorldOptions, resolveConfig } from "./config.ts";
import { migrateStore, worldOf } from "./world.ts";

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

/** What `migratePostgres` did. `from` and `to` are the same where nothing was missing. */
export interface PostgresMigration {
  /** The schema that it looked at. */
  readonly schema: string;
  /** The version before; 0 where there were no tables. */
  readonly from: number;
  /** The version now: the one that this package works with. */
  readonly to: number;
}

/**
 * Creates the schema and its tables, or brings them up to date. `open()` does the same; this is for those whose workers run
 * as a user that may not: let the owner of the schema call it, or run `npx perdure migrate`, before they are deployed, and
 * give the workers `migrate: false`. Any number of processes may call it at once: one of them migrates, the others wait for
 * it and find nothing missing.
 *
 * @throws {TypeError} for options that make no sense
 * @throws {WorldError} when the database cannot be reached, or refuses
 *
 * @example
 * const { schema, from, to } = await migratePostgres({ url: "postgres://owner@localhost/app" });
 * console.log(from === to ? `${schema} is up to date` : `${schema} went from version ${from} to ${to}`);
 */
export async function migratePostgres(options: PostgresWorldOptions = {}): Promise<PostgresMigration> {
  const config = resolveConfig({ ...options, migrate: true, listen: false });
  return { schema: config.schema, ...(await migrateStore(config)) };
}
