/**
 * What a user may set, with its defaults, checked and resolved before anything is opened.
 */
import type { DatabaseSync } from "node:sqlite";
import type { OperationProbe, WorldCapabilities } from "@perdure/core/world";
import type { Reading } from "./clock.ts";
import { fileOf } from "./driver.ts";
import { DEFAULT_PATH, fileAt } from "./location.ts";

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
   * The database file, as a path or as a `file:` URL; its directory is created. Relative to the working directory.
   * `":memory:"` keeps everything in this instance and loses it at `close()`. Default `.perdure/perdure.db`.
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
  /**
   * Whose clock judges leases and due times. `"store"`: one that all processes on the file share, which no step of the
   * machine's clock and no wrong clock of a process disturbs. `"caller"`: the `now` that comes with each call, for tests.
   * Default `"store"`; in memory `"caller"`, since nobody else is there.
   */
  readonly clock?: "store" | "caller";
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
  readonly clock: "store" | "caller";
  /** The clocks of the machine; `undefined`: as they are. */
  readonly readMachine: (() => Reading) | undefined;
  readonly beforeOperation: OperationProbe | undefined;
}

// A call that waits for longer than any lease lasts would look like one that hangs.
const LONGEST_BUSY_TIMEOUT = 600_000;

/**
 * SQLite takes a row of 1,000,000,000 bytes. It works in the thread of the event loop, so a value of that size would block
 * it for longer than a lease, and it is no string that JavaScript can hold: it could be written and never decoded. With
 * this size writing and reading take about a second each.
 */
export const LARGEST_VALUE: number = 128 * 1024 * 1024;

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
  if (!(busyTimeout >= 0 && busyTimeout <= LONGEST_BUSY_TIMEOUT)) {
    throw new TypeError(`busyTimeout is a number of milliseconds from 0 to ${LONGEST_BUSY_TIMEOUT}.`);
  }
  if (database?.isOpen === false) throw new TypeError("database is closed: pass a connection that is open.");
  const file = database === undefined ? fileAt(path ?? DEFAULT_PATH) : fileOf(database);
  const { clock = file === null ? "caller" : "store" } = options;
  if (clock !== "store" && clock !== "caller") {
    throw new TypeError(`clock is "store" or "caller", not ${JSON.stringify(clock)}.`);
  }
  return {
    file,
    database,
    namespace,
    synchronous,
    busyTimeout,
    clock,
    readMachine: undefined,
    beforeOperation: options.beforeOperation,
  };
}

/** What this World can do with these options. */
export function capabilitiesOf(config: Config): WorldCapabilities {
  const inMemory = config.file === null;
  return {
    durability: inMemory ? "nothing" : config.synchronous === "full" ? "machine" : "process",
    notifications: !inMemory,
    embedded: true,
    streams: true,
    joining: true,
    commitsInFlight: 1,
    ownClock: config.clock === "store",
    largestValue: LARGEST_VALUE,
    leaseKeeper: leaseKeeperOf(config),
  };
}

// A connection cannot be sent to another thread, and a database in memory is there for nobody else.
function leaseKeeperOf(config: Config): WorldCapabilities["leaseKeeper"] {
  if (config.file === null || config.database !== undefined) return null;
  const { file: path, namespace, synchronous, busyTimeout, clock } = config;
  const options = { path, namespace, synchronous, busyTimeout, clock };
  return async () => ({ module: (await import("./keeper-url.ts")).keeperUrl, options });
}
