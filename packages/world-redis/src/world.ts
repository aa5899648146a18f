/**
 * The Redis World: what it can do before and after it has looked at the server.
 */
import { StoredWorld, type World } from "@perdure/core/world";
import type { Config } from "./config.ts";
import { sizesOf } from "./size.ts";
import { openStore, type RedisStore } from "./store.ts";

// With more batches under way each is smaller, and the server does one after the other anyway.
const COMMITS_IN_FLIGHT = 2;

/** A World on the server of the configuration. */
export function worldOf(config: Config): World {
  return new StoredWorld<RedisStore>({
    name: "redis",
    title: "Redis",
    openStore: () => openStore(config),
    capabilities: (store) => ({
      durability: store?.durability ?? "nothing",
      notifications: true,
      streams: true,
      ownClock: config.clock === "store",
      commitsInFlight: COMMITS_IN_FLIGHT,
      ...(store?.sizes ?? sizesOf([])),
      leaseKeeper: config.leaseKeeper,
    }),
  });
}
