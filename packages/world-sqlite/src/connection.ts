/**
 * One SQLite connection: how it is opened, and the one way in which this World reads and writes through it. A
 * transaction is one synchronous stretch, so calls on one connection never interleave inside each other's.
 */
import { randomInt } from "node:crypto";
import { mkdirSync } from "node:fs";
import { dirname } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { OperationProbe } from "@perdure/core/world";
import type { Config } from "./config.ts";
import { RESULT, resultCode, sqlite } from "./driver.ts";
import { worldError } from "./errors.ts";
import { type Operations, Statement, TupleStatement } from "./statement.ts";

// A checkpoint runs inside the commit that fills the WAL to this many pages. Measured at batches of 100: a stall of
// about 10 ms with 1,000 pages, 15 ms with 2,000 and 60 to 100 ms with 16,000, for the same throughput.
const CHECKPOINT_PAGES = 1_000;

// What a burst leaves of the WAL file on disk, once a checkpoint has emptied it.
const WAL_SIZE_LIMIT = 64 * 1024 * 1024;

// The longest pause between two tries for the write lock, in milliseconds. It does not grow with the number of tries,
// so the longest waiting has the same chance at every gap as the newcomer.
const LONGEST_PAUSE = 10;

export class Connection implements Operations {
  /** For messages: the file, or what else it is. */
  readonly location: string;
  readonly #database: DatabaseSync;
  readonly #owned: boolean;
  readonly #busyTimeout: number;
  readonly #probe: OperationProbe | undefined;
  readonly #begin: StatementSync;
  readonly #commit: StatementSync;
  readonly #dataVersion: StatementSync;
  #crashed = false;

  private constructor(database: DatabaseSync, config: Config) {
    this.location = locationOf(config);
    this.#database = database;
    this.#owned = config.database === undefined;
    this.#busyTimeout = config.busyTimeout;
    this.#probe = config.beforeOperation;
    this.#begin = database.prepare("BEGIN IMMEDIATE");
    this.#commit = database.prepare("COMMIT");
    this.#dataVersion = database.prepare("PRAGMA data_version");
  }

  /**
   * Opens the database, creating it and its directory.
   *
   * @throws {WorldError} if it cannot be opened or is no database
   */
  static async open(config: Config): Promise<Connection> {
    let connection: Connection | undefined;
    try {
      connection = new Connection(config.database ?? openFile(config.file), config);
      await connection.#configure(config);
      return connection;
    } catch (error) {
      connection?.close();
      throw worldError(error, locationOf(config));
    }
  }

  async #configure(config: Config): Promise<void> {
    await this.#patiently(() => {
      this.#database.exec(`
        PRAGMA journal_mode = WAL;
        PRAGMA synchronous = ${config.synchronous};
        PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES};
        PRAGMA journal_size_limit = ${WAL_SIZE_LIMIT};
      `);
    });
  }

  /** Prepares a statement; `operation` is its name for the conformance suite's probe. */
  prepare<Row = never>(operation: string, sql: string): Statement<Row> {
    return new Statement(this, operation, this.#database.prepare(sql));
  }

  /** Prepares a query for many rows. */
  prepareTuples<Row extends readonly unknown[]>(operation: string, sql: string): TupleStatement<Row> {
    return new TupleStatement(this, operation, this.#database.prepare(sql));
  }

  /** Executes statements that take no parameters. */
  execute(operation: string, sql: string): void {
    this.operation(operation);
    this.#database.exec(sql);
  }

  /** A number that changes when another connection commits. */
  dataVersion(): number {
    return Number(this.#dataVersion.get()?.data_version);
  }

  sqliteVersion(): string {
    return String(this.#database.prepare("SELECT sqlite_version() AS version").get()?.version);
  }

  /** The value of a PRAGMA. */
  pragma(name: string): string | number {
    const [value] = Object.values(this.#database.prepare(`PRAGMA ${name}`).get() ?? {});
    return typeof value === "string" ? value : Number(value);
  }

  /**
   * Runs `work` in one transaction: all of it is on disk when this resolves, and nothing if it rejects. While another
   * process writes, it waits without blocking the event loop. `work` is executed again if SQLite asks for it.
   */
  write<T>(work: () => T): Promise<T> {
    return this.#patiently(() => this.#transaction(work));
  }

  /** Runs `work`, which only reads; each of its statements sees the store as it is then. */
  read<T>(work: () => T): Promise<T> {
    return this.#patiently(work);
  }

  /** Called before each operation on the store. Where the probe throws, this connection is as good as killed. */
  operation(name: string): void {
    if (this.#probe === undefined) return;
    try {
      if (this.#probe(name) !== undefined)
        throw new TypeError("node:sqlite cannot wait: use a synchronous probe.");
    } catch (error) {
      this.#crashed = true;
      throw error;
    }
  }

  /** Gives the connection up. A transaction that is under way is rolled back; one of the user's stays open. */
  close(): void {
    if (this.#owned && this.#database.isOpen) this.#database.close();
  }

  async #patiently<T>(work: () => T): Promise<T> {
    let waited = 0;
    for (;;) {
      if (this.#crashed) throw new WorldError("This World was stopped by its operation probe.");
      try {
        return work();
      } catch (error) {
        if (resultCode(error) !== RESULT.busy || waited >= this.#busyTimeout) {
          throw worldError(error, this.location);
        }
      }
      const pause = randomInt(1, LONGEST_PAUSE + 1);
      waited += pause;
      await delay(pause);
    }
  }

  #transaction<T>(work: () => T): T {
    this.operation("begin");
    this.#begin.run();
    try {
      const result = work();
      this.operation("commit");
      this.#commit.run();
      return result;
    } catch (error) {
      if (!this.#crashed) this.#rollback();
      throw error;
    }
  }

  // SQLite has rolled back by itself after some errors, such as a full disk; then there is nothing left to end.
  #rollback(): void {
    try {
      this.#database.exec("ROLLBACK");
    } catch {}
  }
}

function locationOf(config: Config): string {
  return config.file ?? "in memory";
}

function openFile(file: string | null): DatabaseSync {
  const { DatabaseSync } = sqlite();
  if (file === null) return new DatabaseSync(":memory:");
  const directory = dirname(file);
  try {
    mkdirSync(directory, { recursive: true });
  } catch (error) {
    throw new WorldError(
      `The directory ${directory} for the SQLite World cannot be created. Check the path.`,
      {
        cause: error,
        retryable: false,
      },
    );
  }
  return new DatabaseSync(file);
}
