// The Worlds that the demo can run on, by name. A World that needs a server brings it up in `prepare`; the address it
// returns is all that a worker process is told.

import { basename, join } from "node:path";
import type { World } from "@perdure/core/world";
import { mongodb } from "@perdure/testbed/mongodb";
import { postgres } from "@perdure/testbed/postgres";
import { redis } from "@perdure/testbed/redis";
import { mongodbWorld } from "@perdure/world-mongodb";
import { postgresWorld } from "@perdure/world-postgres";
import { redisWorld } from "@perdure/world-redis";
import { sqliteWorld } from "@perdure/world-sqlite";

export interface PreparedStore {
  /** What `open` needs to reach the store from another process. */
  address: string;
  /** Crashes the store's server and starts it again; absent where there is no server, or it is not the demo's. */
  restart?(): Promise<void>;
  /** Ends what `prepare` brought up. */
  release(): Promise<void>;
}

export interface WorldChoice {
  /** Brings up a fresh, empty store. `dir` is the demo's own directory, removed when the demo ends. */
  prepare(dir: string): Promise<PreparedStore>;
  /** A World on that store. */
  open(address: string): World;
}

export const worlds: Readonly<Record<string, WorldChoice>> = {
  sqlite: {
    prepare: async (dir) => ({ address: join(dir, "journal.db"), release: async () => {} }),
    open: (address) => sqliteWorld({ path: address }),
  },
  postgres: {
    async prepare() {
      const { url, stop, restart } = await postgres();
      const schema = `charging_${crypto.randomUUID().slice(0, 8)}`;
      return {
        address: JSON.stringify({ url, schema }),
        ...(restart !== undefined && { restart: () => restart("immediate") }),
        release: stop,
      };
    },
    open: (address) => postgresWorld(JSON.parse(address)),
  },
  mongodb: {
    prepare: async (dir) => {
      const { url, stop, restart, partial } = await mongodb();
      return {
        // A database that nobody else uses: the user's server may hold others.
        address: JSON.stringify({ url, db: basename(dir) }),
        // A server in memory comes back empty.
        ...(restart !== undefined && partial === null && { restart }),
        release: stop,
      };
    },
    open: (address) => mongodbWorld(JSON.parse(address) as { url: string; db: string }),
  },
  redis: {
    async prepare() {
      // Its server is killed, and what it acknowledged must be there afterwards.
      const { url, stop, restart } = await redis({ settings: { appendfsync: "always" } });
      const namespace = `charging-${crypto.randomUUID().slice(0, 8)}`;
      const durability = restart === undefined ? "memory" : "aof";
      return {
        address: JSON.stringify({ url, namespace, durability }),
        ...(restart !== undefined && { restart }),
        release: stop,
      };
    },
    open: (address) => redisWorld(JSON.parse(address)),
  },
};

/** The choice of that name. Throws for a name that is none. */
export function worldNamed(name: string): WorldChoice {
  const choice = worlds[name];
  if (!choice) throw new Error(`There is no World '${name}'. Known: ${Object.keys(worlds).join(", ")}.`);
  return choice;
}
