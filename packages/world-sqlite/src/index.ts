/**
 * The embedded World: all runs of an application in one SQLite file, which any number of processes on the same machine
 * may share.
 */
import type { World } from "@perdure/core/world";
import { resolveConfig, type SqliteWorldOptions } from "./config.ts";
import { worldOf } from "./world.ts";

export type { SqliteWorldOptions, Synchronous } from "./config.ts";

/**
 * A World that keeps its journal in an SQLite file, through Node's built-in `node:sqlite`. Nothing is opened before
 * `open()`, which the engine calls.
 *
 * @throws {TypeError} for options that make no sense
 *
 * @example
 * const world = sqliteWorld({ path: "data/perdure.db" });
 * await world.open();
 * console.log(world.describe());
 */
export function sqliteWorld(options: SqliteWorldOptions = {}): World {
  return worldOf(resolveConfig(options));
}
