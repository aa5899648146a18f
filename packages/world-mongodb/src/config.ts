/**
 * What a user may set, with its defaults, checked and resolved before anything is opened.
 */
import type { OperationProbe, WorldCapabilities } from "@perdure/core/world";
import type { MongoClient } from "mongodb";

/** Options of `mongodbWorld`. */
export interface MongodbWorldOptions {
  /** Connection string, with options of the driver. Default `mongodb://127.0.0.1:27017`. */
  readonly url?: string;
  /** A client of yours in place of `url`. `close()` leaves it open. Leases are then renewed from the event loop. */
  readonly client?: MongoClient;
  /** Name of the database. Default: the one of the connection string, else `perdure`. */
  readonly db?: string;
  /**
   * Keeps several apps apart in one database: each has collections of its own, `perdure_<namespace>_runs` … Lower-case
   * letters, digits and `_`, at most 40. Default: none, `perdure_runs` …
   */
  readonly namespace?: string;
  /**
   * Whose clock judges leases and due times. `"store"`: the server's, so that workers whose clocks differ agree.
   * `"caller"`: the `now` that is passed in; for tests. Default `"store"`.
   */
  readonly clock?: "store" | "caller";
  /** For the conformance suite: called before each command that goes to the server. */
  readonly beforeOperation?: OperationProbe;
}

/** The options with nothing left open. */
export interface Config {
  readonly url: string;
  readonly client: MongoClient | undefined;
  /** `undefined`: the connection string's. */
  readonly db: string | undefined;
  readonly namespace: string;
  readonly clock: "store" | "caller";
  readonly beforeOperation: OperationProbe | undefined;
}

/** Where the server is when nothing is said. */
export const DEFAULT_URL = "mongodb://127.0.0.1:27017";

/** @throws {TypeError} for an option that makes no sense */
export function resolveConfig(options: MongodbWorldOptions): Config {
  const { url, client, db, namespace = "", clock = "store" } = options;
  if (url !== undefined && client !== undefined) {
    throw new TypeError("mongodbWorld takes `url` or `client`, not both.");
  }
  if (!/^[a-z0-9_]{0,40}$/.test(namespace)) {
    throw new TypeError(
      `namespace ${JSON.stringify(namespace)} becomes part of collection names: use at most 40 of a-z, 0-9 and _.`,
    );
  }
  if (clock !== "store" && clock !== "caller") {
    throw new TypeError(`clock is "store" or "caller", not ${JSON.stringify(clock)}.`);
  }
  return { url: url ?? DEFAULT_URL, client, db, namespace, clock, beforeOperation: options.beforeOperation };
}

/** How a keeper thread opens another instance. A client cannot be sent there: then leases are renewed from the event loop. */
export function leaseKeeperOf(config: Config): WorldCapabilities["leaseKeeper"] {
  if (config.client !== undefined) return null;
  const { url, db, namespace, clock } = config;
  const options = { url, namespace, clock, ...(db !== undefined && { db }) };
  return async () => ({ module: (await import("./keeper-url.ts")).keeperUrl, options });
}
