import { sharedRedis } from "@perdure/testbed/redis";
import { describeWorld, type WorldTarget } from "@perdure/world-testkit";
import { Redis } from "ioredis";
import { redisWorld } from "../src/index.ts";
import { keysWith, newNamespace, storedOn } from "./store.ts";

const { url } = await sharedRedis();

/** A store of its own on the shared server; a World is killed by cutting its connection. */
async function targetWith(partitions: number): Promise<WorldTarget> {
  const namespace = newNamespace();
  const clients = new Map<unknown, Redis>();
  return {
    async open(options) {
      const client = new Redis(url);
      client.on("error", () => {});
      const world = redisWorld({ client, namespace, partitions, clock: "caller", ...options });
      clients.set(world, client);
      return world;
    },
    openByOwnClock: async () => redisWorld({ url, namespace, partitions }),
    async kill(world) {
      clients.get(world)?.disconnect();
      await world.close();
    },
    async stored() {
      const client = new Redis(url);
      const stored = await storedOn(namespace, client);
      client.disconnect();
      return stored;
    },
    async destroy() {
      for (const client of clients.values()) client.disconnect();
      const client = new Redis(url);
      const keys = await keysWith(namespace, client);
      if (keys.length > 0) await client.unlink(keys);
      client.disconnect();
    },
  };
}

describeWorld({ name: "redis, one partition", create: () => targetWith(1) });
describeWorld({ name: "redis, five partitions", create: () => targetWith(5) });
