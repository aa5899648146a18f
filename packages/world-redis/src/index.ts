/**
 * The Redis World: all runs of an application in a Redis or Valkey server, standalone, behind Sentinel, or in a Cluster.
 */
import type { World } from "@perdure/core/world";
import { type RedisWorldOptions, resolveConfig } from "./config.ts";
import { worldOf } from "./world.ts";

export type { Address, ConnectionSettings, Durability, RedisWorldOptions } from "./config.ts";

/**
 * A World that keeps its journal in Redis (6.2 or newer) or Valkey. Nothing is connected before `open()`, which the
 * engine calls.
 *
 * @throws {TypeError} for options that make no sense
 *
 * @example
 * const world = redisWorld({ url: "redis://127.0.0.1:6379", namespace: "shop" });
 * await world.open();
 * console.log(world.describe().survives);
 */
export function redisWorld(options: RedisWorldOptions = {}): World {
  return worldOf(resolveConfig(options));
}
