/** The ioredis client: how it is made from the options, and where it leads. */
import { Cluster, Redis } from "ioredis";
import type { Config, ConnectionSettings, Target } from "./config.ts";

export type Client = Redis | Cluster;

// A connection that was lost is tried again at these pauses (ms); a command fails after so many tries, and the engine
// sends it again.
const LONGEST_PAUSE = 500;
const TRIES = 8;
// The system asks a silent peer whether it is still there after so many milliseconds.
const KEEP_ALIVE = 10_000;
// Opening and calls have limits of their own, which leave out the time in which this process computes. This one is for
// connections that nobody waits for.
const CONNECT_TIMEOUT = 15_000;

/** A client that is not connected yet, or the user's. */
export function createClient({ target, connection }: Config): Client {
  const options: ConnectionSettings = {
    lazyConnect: true,
    keepAlive: KEEP_ALIVE,
    connectTimeout: CONNECT_TIMEOUT,
    maxRetriesPerRequest: TRIES,
    retryStrategy: (times) => Math.min(20 * 2 ** times, LONGEST_PAUSE),
    ...connection,
  };
  switch (target.type) {
    case "client":
      return target.client;
    case "url":
      return neverElsewhere((more) => new Redis(target.url, { ...more, ...options }));
    case "sentinel": {
      const { name, nodes } = target;
      const sentinels = nodes.map((node) => ({ ...node }));
      return neverElsewhere((more) => new Redis({ ...more, ...options, name, sentinels }));
    }
    case "cluster": {
      const { retryStrategy, lazyConnect, ...redisOptions } = options;
      return new Cluster(
        target.nodes.map((node) => (typeof node === "string" ? node : { ...node })),
        { lazyConnect: true, redisOptions, slotsRefreshTimeout: 5_000 },
      );
    }
  }
}

/**
 * Leaves connections that lead elsewhere, and opens them again: after a failover, once, the one to the old master; and one whose `SELECT` was
 * refused, for it would go on in database 0. That of the first connection is refused by whoever opens the World.
 */
function neverElsewhere(create: (options: ConnectionSettings) => Redis): Redis {
  let leaving = false;
  const client = create({
    reconnectOnError(error) {
      if (leaving || !error.message.startsWith("READONLY")) return false;
      leaving = true;
      return true;
    },
  });
  client.on("close", () => {
    leaving = false;
  });
  client.once("ready", () => {
    client.on("error", (error: { readonly command?: { readonly name: string } }) => {
      if (error.command?.name === "select") client.disconnect(true);
    });
  });
  return client;
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
        .map((node) => (typeof node === "string" ? node.replace(/^.*@|\?.*$/g, "") : hostOf(node)))
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
