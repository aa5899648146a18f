/**
 * What a user may set, with its defaults, checked and resolved before anything is opened.
 */
import { resolve } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import type { OperationProbe, WorldCapabilities } from "@perdure/core/world";
import { fileOf } from "./driver.ts";

/** How much of the disk an acknowledged commit has reached; SQLite's `PRAGMA synchronous` in WAL mode. */
export type Synchronous =
  /** Every commit is flushed (fsync): it survives power loss. */
  | "full"
  /** Flushed at checkpoints only: survives the end of any process, the last commits may be lost with the machine. */
  | "normal"
  /** Never flushed: as `normal`, and power loss may damage the file. For tests. */
  | "off";

/** Options of `sqliteWorld`. */
export interface SqliteWorldOptions {
  /**
   * The database file; its directory is created. Relative to the working directory. `":memory:"` keeps everything in
   * this instance and loses it at `close()`. Default `.perdure/perdure.db`.
   */
  readonly path?: string;
  /** An open connection of yours in place of `path`. It is set to WAL mode and to `synchronous`, and stays open. */
  readonly database?: DatabaseSync;
  /**
   * Keeps several apps apart in one file: each has tables of its own, `perdure_<namespace>_runs` … Lower-case letters,
   * digits and `_`, at most 40. Default: none, `perdure_runs` …
   */
  readonly namespace?: string;
  /** Default `"full"`. */
  readonly synchronous?: Synchronous;
  /** How long a call waits for other processes' transactions, in milliseconds, before it fails. Default 10,000. */
  readonly busyTimeout?: number;
  /** For the conformance suite: called before each SQL statement, `begin` and `commit` included. Must not be async. */
  readonly beforeOperation?: OperationProbe;
}

/** The options with nothing left open. */
export interface Config {
  /** Absolute path; `null` for a database in memory. */
  readonly file: string | null;
  readonly database: DatabaseSync | undefined;
  readonly namespace: string;
  readonly synchronous: Synchronous;
  readonly busyTimeout: number;
  readonly beforeOperation: OperationProbe | undefined;
}

/** Where the database is when nothing is said. */
export const DEFAULT_PATH = ".perdure/perdure.db";

/** @throws {TypeError} for an option that makes no sense */
export function resolveConfig(options: SqliteWorldOptions): Config {
  const { path, database, namespace = "", synchronous = "full", busyTimeout = 10_000 } = options;
  if (path !== undefined && database !== undefined) {
    throw new TypeError("sqliteWorld takes `path` or `database`, not both.");
  }
  if (!/^[a-z0-9_]{0,40}$/.test(namespace)) {
    throw new TypeError(
      `namespace ${JSON.stringify(namespace)} becomes part of table names: use at most 40 of a-z, 0-9 and _.`,
    );
  }
  if (!["full", "normal", "off"].includes(synchronous)) {
    throw new TypeError(`synchronous is "full", "normal" or "off", not ${JSON.stringify(synchronous)}.`);
  }
  if (!(busyTimeout >= 0)) throw new TypeError("busyTimeout is a number of milliseconds, 0 or more.");
  return {
    file: database === undefined ? fileAt(path ?? DEFAULT_PATH) : fileOf(database),
    database,
    namespace,
    synchronous,
    busyTimeout,
    beforeOperation: options.beforeOperation,
  };
}

function fileAt(path: string): string | null {
  return path === ":memory:" ? null : resolve(path);
}

/** What this World can do with these options. */
export function capabilitiesOf(config: Config): WorldCapabilities {
  const inMemory = config.file === null;
  return {
    durability: inMemory ? "nothing" : config.synchronous === "full" ? "machine" : "process",
    notifications: !inMemory,
    embedded: true,
    commitsInFlight: 1,
    leaseKeeper: leaseKeeperOf(config),
  };
}

// A connection cannot be sent to another thread, and a database in memory is there for nobody else.
function leaseKeeperOf(config: Config): WorldCapabilities["leaseKeeper"] {
  if (config.file === null || config.database !== undefined) return null;
  const { file: path, namespace, synchronous, busyTimeout } = config;
  const options = { path, namespace, synchronous, busyTimeout };
  return async () => ({ module: (await import("./keeper-url.ts")).keeperUrl, options });
}
