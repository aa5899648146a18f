/** The ioredis client: how it is made from the options, and where it leads. */
import { Cluster, Redis } from "ioredis";
import type { Config, ConnectionSettings, Target } from "./config.ts";

export type Client = Redis | Cluster;

// A connection that was lost is tried again at these pauses (ms); a command fails after so many tries, and the engine
// sends it again.
const LONGEST_PAUSE = 500;
const TRIES = 8;

/** A client that is not connected yet, or the user's. */
export function createClient({ target, connection }: Config): Client {
  const options: ConnectionSettings = {
    lazyConnect: true,
    maxRetriesPerRequest: TRIES,
    retryStrategy: (times) => Math.min(20 * 2 ** times, LONGEST_PAUSE),
    // After a failover a connection may still lead to the old master.
    reconnectOnError: (error) => (error.message.startsWith("READONLY") ? 2 : false),
    ...connection,
  };
  switch (target.type) {
    case "client":
      return target.client;
    case "url":
      return new Redis(target.url, options);
    case "sentinel":
      return new Redis({
        ...options,
        name: target.name,
        sentinels: target.nodes.map((node) => ({ ...node })),
      });
    case "cluster": {
      const { retryStrategy, lazyConnect, ...redisOptions } = options;
      return new Cluster(
        target.nodes.map((node) => (typeof node === "string" ? node : { ...node })),
        { lazyConnect: true, redisOptions, slotsRefreshTimeout: 5_000 },
      );
    }
  }
}

/** For messages: addresses, never passwords. */
export function locationOf(target: Target): string {
  switch (target.type) {
    case "url": {
      const url = new URL(target.url);
      return `${url.protocol}//${url.host}${url.pathname === "/" ? "" : url.pathname}`;
    }
    case "cluster":
      return target.nodes
        .map((node) => (typeof node === "string" ? node.replace(/^.*@/, "") : hostOf(node)))
        .join(",");
    case "sentinel":
      return `${target.name} of ${target.nodes.map(hostOf).join(",")}`;
    case "client":
      return "the given client";
  }
}

function hostOf({ host, port }: { readonly host: string; readonly port: number }): string {
  return `${host}:${port}`;
}

/** The masters that hold data. */
export function mastersOf(client: Client): readonly Redis[] {
  return client instanceof Cluster ? client.nodes("master") : [client];
}

/** Connects a client of ours; a user's is connected by the user, or by the first command. */
export async function connect(client: Client, owned: boolean): Promise<void> {
  if (owned) await client.connect();
}
