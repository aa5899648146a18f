/**
 * The lease keeper's way in: the engine imports this module in a thread of its own, where leases are renewed while a
 * step blocks the main thread.
 */
import type { World } from "@perdure/core/world";
import { type RedisWorldOptions, resolveConfig } from "./config.ts";
import { worldOf } from "./world.ts";

/** The options that a keeper is opened with: those that can be sent to another thread. */
export type KeeperOptions = Omit<RedisWorldOptions, "client" | "beforeOperation">;

/**
 * Opens another instance on the same store.
 *
 * @param options `capabilities.leaseKeeper.options` of the first instance
 */
export async function openWorld(options: KeeperOptions): Promise<World> {
  const world = worldOf(resolveConfig(options));
  await world.open();
  return world;
}
