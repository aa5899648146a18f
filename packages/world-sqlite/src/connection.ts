/**
 * One SQLite connection: how it is opened, and the one way in which this World reads and writes through it. A
 * transaction is one synchronous stretch, so calls on one connection never interleave inside each other's.
 */
import { randomInt } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { OperationProbe } from "@perdure/core/world";
import { monotonicNow } from "./clock.ts";
import type { Config } from "./config.ts";
import { fileOf, isClosed, isWithinTransaction, prepareOn, RESULT, resultCode, sqlite } from "./driver.ts";
import { worldError } from "./errors.ts";
import { OpenFiles, openFile } from "./files.ts";
import { withPlainParameters } from "./parameters.ts";
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
  #files: OpenFiles | undefined;
  /** What the first transaction since {@link dataVersion} was last asked for saw of it. */
  #versionSeen: number | undefined;
  #crashed = false;

  private constructor(database: DatabaseSync, config: Config) {
    this.location = locationOf(config);
    this.#database = database;
    this.#owned = config.database === undefined;
    this.#busyTimeout = config.busyTimeout;
    this.#probe = config.beforeOperation;
    this.#begin = prepareOn(database, "BEGIN IMMEDIATE");
    this.#commit = prepareOn(database, "COMMIT");
    this.#dataVersion = prepareOn(database, "PRAGMA data_version");
  }

  /**
   * Opens the database, creating it and its directory.
   *
   * @throws {WorldError} if it cannot be opened or is no database
   */
  static async open(config: Config): Promise<Connection> {
    let connection: Connection | undefined;
    try {
      connection = new Connection(config.database ?? openDatabase(config.file), config);
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
        SELECT count(*) FROM sqlite_schema;
      `);
    });
    const mode = this.pragma("journal_mode");
    if (config.file !== null && mode !== "wal") {
      throw new WorldError(
        `The SQLite World ${this.location} stays in journal mode "${mode}" and needs "wal". Its file system may lack shared ` +
          "memory: put the file on a local disk.",
        { retryable: false },
      );
    }
    this.#files = OpenFiles.of(this.#database, config.file);
  }

  /** The file, as SQLite has resolved its path; `null` in memory. */
  get file(): string | null {
    return fileOf(this.#database);
  }

  /** Whether another connection is on the same database. */
  isOn(database: DatabaseSync): boolean {
    return database === this.#database || (this.file !== null && fileOf(database) === this.file);
  }

  /**
   * A connection that may only read opens like any other, and every later write would fail: asks SQLite for the right to
   * write to a table, and changes nothing.
   *
   * @throws {WorldError} if it may only read
   */
  refuseReadOnly(table: string): void {
    try {
      this.#withoutBlocking(() => this.execute("ask to write", `DELETE FROM ${table} WHERE false`));
    } catch (error) {
      // Who is told to wait for the lock is allowed to write.
      if (!isBusy(error)) throw worldError(error, this.location);
    }
  }

  /** Prepares a statement; `operation` is its name for the conformance suite's probe. */
  prepare<Row = never>(operation: string, sql: string): Statement<Row> {
    const plain = withPlainParameters(sql);
    return new Statement(this, operation, prepareOn(this.#database, plain.sql), plain.arrange);
  }

  /** Prepares a query for many rows, or one that is made for every commit. */
  prepareTuples<Row extends readonly unknown[]>(operation: string, sql: string): TupleStatement<Row> {
    const plain = withPlainParameters(sql);
    return new TupleStatement(this, operation, prepareOn(this.#database, plain.sql), plain.arrange);
  }

  /** Executes statements that take no parameters. */
  execute(operation: string, sql: string): void {
    this.operation(operation);
    this.#database.exec(sql);
  }

  /**
   * A number that changes when another connection commits, as it was at some moment since the last call: a transaction of this
   * connection has seen it for a tenth of what a look of its own costs.
   */
  dataVersion(): number {
    const version = this.#versionSeen ?? this.#readVersion();
    this.#versionSeen = undefined;
    return version;
  }

  #readVersion(): number {
    return Number(this.#dataVersion.get()?.data_version);
  }

  sqliteVersion(): string {
    return String(prepareOn(this.#database, "SELECT sqlite_version() AS version").get()?.version);
  }

  /** The value of a PRAGMA. */
  pragma(name: string): string | number {
    const [value] = Object.values(prepareOn(this.#database, `PRAGMA ${name}`).get() ?? {});
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
    const deadline = monotonicNow() + this.#busyTimeout;
    for (;;) {
      if (this.#crashed) throw new WorldError("This World was stopped by its operation probe.");
      try {
        const result = this.#withoutBlocking(work);
        // What went into a file that is not there any more must not be acknowledged.
        this.#files?.check();
        return result;
      } catch (error) {
        if (this.#crashed) throw error;
        // Closing the last connection removes two of the files.
        if (!isClosed(error)) this.#files?.check();
        if (!isBusy(error) || monotonicNow() >= deadline) throw worldError(error, this.location);
      }
      await delay(randomInt(1, LONGEST_PAUSE + 1));
    }
  }

  /** A connection of the user's may have a busy timeout, in which SQLite would block the event loop: not for our calls. */
  #withoutBlocking<T>(work: () => T): T {
    const theirs = this.#owned ? 0 : Number(this.pragma("busy_timeout"));
    if (theirs === 0) return work();
    this.#database.exec("PRAGMA busy_timeout = 0");
    try {
      return work();
    } finally {
      if (this.#database.isOpen) this.#database.exec(`PRAGMA busy_timeout = ${theirs}`);
    }
  }

  #transaction<T>(work: () => T): T {
    this.operation("begin");
    this.#begin.run();
    this.#versionSeen ??= this.#readVersion();
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

function openDatabase(file: string | null): DatabaseSync {
  return file === null ? new (sqlite().DatabaseSync)(":memory:") : openFile(file);
}

/** Whether a call can have its way once somebody else is ready. */
function isBusy(error: unknown): boolean {
  const code = resultCode(error);
  return code === RESULT.busy || code === RESULT.locked || isWithinTransaction(error);
}
