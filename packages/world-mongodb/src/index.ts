/**
 * The MongoDB World: all runs of an application in one database of a standalone server, a replica set, or a service that
 * speaks the same protocol.
 */
import type { World } from "@perdure/core/world";
import { type MongodbWorldOptions, resolveConfig } from "./config.ts";
import { worldOf } from "./world.ts";

export type { MongodbWorldOptions } from "./config.ts";

/**
 * A World that keeps its journal in MongoDB. Nothing is opened before `open()`, which the engine calls.
 *
 * @throws {TypeError} for options that make no sense
 *
 * @example
 * const world = mongodbWorld({ url: "mongodb://127.0.0.1:27017/shop" });
 * await world.open();
 * console.log(world.describe());
 */
export function mongodbWorld(options: MongodbWorldOptions = {}): World {
  return worldOf(resolveConfig(options));
}
