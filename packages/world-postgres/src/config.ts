/**
 * What a user may set, with its defaults, checked and resolved before anything is opened.
 */
import { type Logger, type LoggerChoice, resolveLogger } from "@perdure/core/runtime";
import type { OperationProbe, WorldCapabilities } from "@perdure/core/world";
import type { Kysely } from "kysely";
import type { Pool } from "pg";

/** Options of `postgresWorld`. */
export interface PostgresWorldOptions {
  /**
   * Where the database is: `postgres://user:password@host:5432/database?sslmode=require`. Default: what the environment
   * variables `PGHOST`, `PGUSER` … say. Beside `kysely` it is used for the renewal of leases and for notifications alone.
   */
  readonly url?: string;
  /**
   * A pool of yours in place of `url`; it stays open. Leases are renewed, and notifications received, through
   * connections of this World's own, with the pool's settings.
   */
  readonly pool?: Pool;
  /**
   * A Kysely instance of yours in place of `url`, on the dialect of Postgres; it stays open. Give `url` as well: without
   * it this World has no connection of its own, so there are no notifications, and a program that keeps all of the
   * instance's connections busy keeps leases from being renewed.
   */
  // biome-ignore lint/suspicious/noExplicitAny: any database type.
  readonly kysely?: Kysely<any>;
  /** The Postgres schema that belongs to Perdure; it is created. Lower-case letters, digits, `_`, at most 40. Default `perdure`. */
  readonly schema?: string;
  /**
   * Keeps several apps apart in one schema: each has tables of its own, `<namespace>_runs` … Lower-case letters, digits
   * and `_`, at most 40. Default: none, `runs` …
   */
  readonly namespace?: string;
  /** Connections that the pool made from `url` may have at once; two more are this World's own. Default 8. */
  readonly maxConnections?: number;
  /**
   * Whether other processes tell this one what they wrote (LISTEN/NOTIFY). Default: yes, except where a pooler stands
   * in between, such as PgBouncer: in its transaction mode nothing is heard, and workers find work by polling.
   */
  readonly listen?: boolean;
  /** Whether `open()` brings the tables up to date. Where not, it refuses tables that are not. Default true. */
  readonly migrate?: boolean;
  /** How long `open()` waits for a server that does not answer yet, in milliseconds. Default 4,000. */
  readonly openTimeout?: number;
  /**
   * How long a call may take, in milliseconds. Past it the call rejects, its connection is closed, and the engine sends the
   * call again over a new one. The server gives up a little earlier. Default 10,000.
   */
  readonly callTimeout?: number;
  /** Whose clock judges what is due and which leases have run out. `caller` is for tests. Default `store`. */
  readonly clock?: "store" | "caller";
  /** Where it says that a connection was lost, or that notifications are off. Default: the console, as a worker's. */
  readonly logger?: LoggerChoice;
  /** For the conformance suite: called before each statement. */
  readonly beforeOperation?: OperationProbe;
}

/** The options with nothing left open. */
export interface Config {
  readonly url: string | undefined;
  readonly pool: Pool | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: any database type.
  readonly kysely: Kysely<any> | undefined;
  readonly schema: string;
  readonly namespace: string;
  readonly maxConnections: number;
  readonly listen: boolean | undefined;
  readonly migrate: boolean;
  readonly openTimeout: number;
  readonly callTimeout: number;
  readonly callersClock: boolean;
  readonly logger: Logger;
  readonly beforeOperation: OperationProbe | undefined;
}

// What a timer and a setting of Postgres can hold.
const LONGEST_TIMEOUT = 2_147_483_647;

/** @throws {TypeError} for an option that makes no sense */
export function resolveConfig(options: PostgresWorldOptions): Config {
  const { url, pool, kysely, schema = "perdure", namespace = "", clock = "store" } = options;
  const { maxConnections = 8, openTimeout = 4_000, callTimeout = 10_000 } = options;
  if (pool !== undefined && (url !== undefined || kysely !== undefined)) {
    throw new TypeError("postgresWorld takes `pool`, or `url`, or `kysely` with or without `url`.");
  }
  if (!/^[a-z_][a-z0-9_]{0,39}$/.test(schema)) {
    throw new TypeError(
      `schema ${JSON.stringify(schema)}: use at most 40 of a-z, 0-9 and _, no digit first.`,
    );
  }
  if (!/^[a-z0-9_]{0,40}$/.test(namespace)) {
    throw new TypeError(
      `namespace ${JSON.stringify(namespace)} becomes part of table names: use at most 40 of a-z, 0-9 and _.`,
    );
  }
  if (clock !== "store" && clock !== "caller") {
    throw new TypeError(`clock is "store" or "caller", not ${JSON.stringify(clock)}.`);
  }
  if (!(Number.isInteger(maxConnections) && maxConnections >= 1)) {
    throw new TypeError("maxConnections is a whole number, 1 or more.");
  }
  if (!(openTimeout >= 0 && openTimeout <= LONGEST_TIMEOUT)) {
    throw new TypeError(`openTimeout is a number of milliseconds, 0 to ${LONGEST_TIMEOUT}.`);
  }
  if (!(callTimeout >= 1 && callTimeout <= LONGEST_TIMEOUT)) {
    throw new TypeError(`callTimeout is a number of milliseconds, 1 to ${LONGEST_TIMEOUT}.`);
  }
  if (url !== undefined) requireUrl(url);
  return {
    url,
    pool,
    kysely,
    schema,
    namespace,
    maxConnections,
    listen: options.listen,
    migrate: options.migrate ?? true,
    openTimeout,
    callTimeout,
    callersClock: clock === "caller",
    logger: resolveLogger(options.logger),
    beforeOperation: options.beforeOperation,
  };
}

/**
 * How a keeper thread opens another instance. A pool or a Kysely instance cannot be sent there, but a URL can.
 */
export function leaseKeeperOf(config: Config): WorldCapabilities["leaseKeeper"] {
  if (config.pool !== undefined || (config.kysely !== undefined && config.url === undefined)) return null;
  const { url, schema, namespace, callTimeout, callersClock } = config;
  const options = { url, schema, namespace, callTimeout, clock: callersClock ? "caller" : "store" };
  return async () => ({ module: (await import("./keeper-url.ts")).keeperUrl, options });
}

/**
 * The driver would read a text without scheme as something else, and look for a database of the user's name where none is
 * named. The URL is in no message: it may have a password.
 */
function requireUrl(text: string): void {
  // The path of a socket's folder is a URL to the driver, as `socket:` is.
  if (/^(\/|socket:)/.test(text)) return;
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw new TypeError(
      "url has to begin with postgres:// as in postgres://user:password@host:5432/database.",
    );
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    // The error has the URL in it.
    throw new TypeError(
      "url cannot be read: characters such as @ : / ? # in user and password are written as %40 %3A %2F %3F %23.",
    );
  }
  if (url.pathname.length <= 1 && process.env.PGDATABASE === undefined) {
    throw new TypeError("url names no database: add it, as in postgres://user:password@host:5432/database.");
  }
}
