/** Several Redis servers that belong together: a Cluster of masters, and a master with a replica under a sentinel. */
import { setTimeout as delay } from "node:timers/promises";
import { Redis } from "ioredis";
import { type RedisServer, startRedis } from "./redis.ts";

const SLOTS = 16_384;

/** A Cluster that divides all slots among its masters. */
export interface RedisCluster extends AsyncDisposable {
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly servers: readonly RedisServer[];
  stop(): Promise<void>;
}

/** Starts a Cluster without replicas. */
export async function startRedisCluster(
  options: { readonly masters?: number; readonly settings?: Readonly<Record<string, string | number>> } = {},
): Promise<RedisCluster> {
  const { masters = 3, settings } = options;
  const clustered = {
    "cluster-enabled": "yes",
    "cluster-config-file": "nodes.conf",
    "cluster-node-timeout": 2_000,
    ...settings,
  };
  const servers = await Promise.all(
    Array.from({ length: masters }, () => startRedis({ settings: clustered })),
  );
  const stop = async (): Promise<void> => {
    await Promise.all(servers.map((server) => server.stop()));
  };
  const clients = servers.map(({ url }) => new Redis(url));
  try {
    const [first] = clients;
    await Promise.all(
      clients.map(async (client, index) => {
        await client.cluster("SET-CONFIG-EPOCH", index + 1);
        const [from, to] = [index, index + 1].map((edge) => Math.round((edge * SLOTS) / masters));
        const slots = Array.from({ length: (to ?? 0) - (from ?? 0) }, (_, slot) => (from ?? 0) + slot);
        await client.cluster("ADDSLOTS", ...slots);
      }),
    );
    for (const { port } of servers.slice(1)) await first?.cluster("MEET", "127.0.0.1", port);
    for (const client of clients) {
      while (!(await client.cluster("INFO")).includes("cluster_state:ok")) await delay(50);
    }
  } catch (error) {
    await stop();
    throw error;
  } finally {
    for (const client of clients) client.disconnect();
  }
  return {
    nodes: servers.map(({ port }) => ({ host: "127.0.0.1", port })),
    servers,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** A master with one replica, and a sentinel that makes the replica master when the master is down. */
export interface RedisSentinel extends AsyncDisposable {
  /** The sentinel's name for the master. */
  readonly name: string;
  readonly nodes: readonly { readonly host: string; readonly port: number }[];
  readonly master: RedisServer;
  readonly replica: RedisServer;
  stop(): Promise<void>;
}

export async function startRedisSentinel(): Promise<RedisSentinel> {
  const name = "perdure";
  const master = await startRedis();
  const replica = await startRedis({ settings: { replicaof: `127.0.0.1 ${master.port}` } });
  await until(replica.url, "replication", "master_link_status:up");
  const sentinel = await startRedis({
    sentinel: true,
    settings: {
      "sentinel monitor": `${name} 127.0.0.1 ${master.port} 1`,
      "sentinel down-after-milliseconds": `${name} 1000`,
      "sentinel failover-timeout": `${name} 5000`,
    },
  });
  // It can only promote a replica that it knows.
  await until(sentinel.url, "sentinel", "slaves=1");
  const stop = async (): Promise<void> => {
    await Promise.all([sentinel, replica, master].map((server) => server.stop()));
  };
  return {
    name,
    nodes: [{ host: "127.0.0.1", port: sentinel.port }],
    master,
    replica,
    stop,
    [Symbol.asyncDispose]: stop,
  };
}

/** Waits until a section of a server's INFO says something. */
async function until(url: string, section: string, text: string): Promise<void> {
  const client = new Redis(url, { enableReadyCheck: false });
  try {
    while (!(await client.info(section)).includes(text)) await delay(50);
  } finally {
    client.disconnect();
  }
}
