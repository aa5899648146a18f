/**
 * The connections of one World, and the one way in which it reads and writes through them.
 *
 * A write is one call of a function in the database: one round trip and one transaction, at whatever isolation level the
 * user's role has. Under READ COMMITTED, Postgres's default, each statement in a function sees what was committed before
 * it began, so what is read after a lock is what the lock protects. Under REPEATABLE READ and SERIALIZABLE a lock on a
 * row that changed meanwhile fails instead, and the call is made again.
 *
 * Every call has a deadline, and the server's own is shorter, so that a call that was given up does not write later. On
 * connections of this World's own it is a setting of the session. Elsewhere, behind a pooler or in the user's pool, the
 * session is others' as well: there the functions are told, see `functions/clauses.ts`.
 */
import { createHash, randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import { countdown, type OperationProbe, within } from "@perdure/core/world";
import {
  type CompiledQuery,
  DummyDriver,
  Kysely,
  PostgresAdapter,
  PostgresIntrospector,
  PostgresQueryCompiler,
} from "kysely";
import pg from "pg";
import { PARSERS } from "./answers.ts";
import { type Calls, type Execute, KyselyCalls, PoolCalls, type Statement } from "./calls.ts";
import type { Config } from "./config.ts";
import { isOverdue, isRolledBack, isUnreachable, withoutValues, worldError } from "./errors.ts";
import { endIfForeign } from "./greeting.ts";
import type { Schema } from "./schema.ts";

// A deadlock or a serialization failure ends with the transaction that met it; more than this is no bad luck.
const TRIES = 10;
const LONGEST_PAUSE = 20;

// From one try to reach a server that starts to the next, in milliseconds.
const PAUSE = 200;

// The memory allocator of most Linux servers gives memory back to the system after each statement that has used more
// than 128 kB, and asks for it again in the next one; two thirds of the time of a small commit went into that. Once a
// larger piece than this was freed, it keeps up to 2 MB.
const WARM_UP = "SELECT length(repeat('x', 1000000))";

// Renewals and notifications need one connection each at a time.
const SERVICE_CONNECTIONS = 2;

// Of the caller's deadline, what the server may use.
const SERVERS_SHARE = 0.8;

// From the last byte on a connection to the first question whether the other side is there, in milliseconds.
const KEEP_ALIVE = 10_000;

// A server that is there answers within this time, however short a time `openTimeout` gives it to start.
const SHORTEST_OPENING = 1_000;

// With this part of the time left it is not tried once more.
const NEARLY_OVER = 0.25;

export class Connection {
  /** For messages: server, database and schema. */
  readonly location: string;
  /** Makes a connection outside of every pool, or `undefined` where this World was given no way to. */
  readonly connectAlone: ((timeout?: number) => pg.Client) | undefined;
  /** Whether prepared statements and notifications reach this session, and not another one behind a pooler. */
  direct = false;
  /** What the World needs was there once: what the server refuses from now on, it may permit again. */
  opened = false;
  readonly #callTimeout: number;
  readonly #serverTimeout: number;
  readonly #openTimeout: number;
  readonly #calls: Calls;
  readonly #service: Calls;
  /** Those through connections of this World's own, whose sessions have the server's deadline. */
  readonly #limited: ReadonlySet<Calls>;
  readonly #pools: readonly pg.Pool[];
  readonly #probe: OperationProbe | undefined;
  readonly #names: Map<string, string> = new Map();
  #crashed = false;

  constructor(config: Config) {
    const { url, pool, kysely, schema, callTimeout } = config;
    const pools: pg.Pool[] = [];
    const limited = new Set<Calls>();
    const own = (settings: pg.PoolConfig, max: number): Calls => {
      const onConnect = (client: pg.ClientBase) => this.#prepareSession(client);
      const options = { ...withTimeouts(settings, callTimeout), max, allowExitOnIdle: true, onConnect };
      const ownPool = new pg.Pool({ ...options, password: settings.password } as pg.PoolConfig);
      // A connection that is lost while nobody uses it is replaced when it is needed.
      ownPool.on("error", () => {});
      pools.push(ownPool);
      const calls = new PoolCalls(ownPool);
      limited.add(calls);
      return calls;
    };
    const settings: pg.PoolConfig | undefined = pool?.options ?? settingsOf(url, kysely !== undefined);
    if (pool !== undefined) this.#calls = new PoolCalls(pool);
    else if (kysely !== undefined) this.#calls = new KyselyCalls(kysely);
    else this.#calls = own(settings ?? {}, config.maxConnections);
    this.#service = settings === undefined ? this.#calls : own(settings, SERVICE_CONNECTIONS);
    this.connectAlone =
      settings === undefined
        ? undefined
        : (timeout = callTimeout) =>
            new pg.Client({ ...withTimeouts(settings, timeout), query_timeout: timeout });
    this.#pools = pools;
    this.#limited = limited;
    this.#callTimeout = callTimeout;
    this.#serverTimeout = Math.max(1, Math.floor(callTimeout * SERVERS_SHARE));
    this.#openTimeout = Math.max(config.openTimeout, callTimeout);
    this.#probe = config.beforeOperation;
    this.location = `${settings === undefined ? "of a Kysely instance" : placeOf(settings)}, schema ${schema}`;
  }

  /**
   * Waits until the server answers, `timeout` milliseconds at the most, and finds out whether it is reached directly.
   *
   * @throws {WorldError} when it does not answer, or refuses
   */
  async ready(timeout: number): Promise<void> {
    const { left, stop } = countdown(timeout);
    try {
      for (;;) {
        try {
          this.direct = await this.#reachesDirectly(Math.max(left(), SHORTEST_OPENING));
          return;
        } catch (error) {
          // Who did not answer had all the time that was left; the driver's own timer counts a little faster.
          const isOver = left() <= (isOverdue(error) ? timeout * NEARLY_OVER : 0);
          if (!isUnreachable(error) || isOver) throw worldError(error, this.location, { reached: false });
        }
        await delay(PAUSE);
      }
    } finally {
      stop();
    }
  }

  /**
   * Calls a function of the database; repeats the call where Postgres rolled it back for another one's sake. The function's
   * first parameter is the time that it may take.
   */
  call<Row>(operation: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#callOn(this.#calls, operation, text, values);
  }

  /** As {@link call}, on connections that user code cannot keep busy. */
  callAside<Row>(operation: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#callOn(this.#service, operation, text, values);
  }

  /** Sends a notification, on a connection that user code cannot keep busy. */
  async notify(text: string, values: readonly unknown[]): Promise<void> {
    await this.#patiently("notify", () => this.#service.execute({ text, values }, this.#callTimeout));
  }

  /** Runs a query. */
  query<Row>(operation: string, build: (db: Kysely<Schema>) => CompiledQuery<Row>): Promise<readonly Row[]> {
    const { sql: text, parameters: values } = build(QUERIES);
    return this.#patiently(
      operation,
      () => this.#calls.execute({ text, values }, this.#callTimeout) as Promise<readonly Row[]>,
    );
  }

  /** Runs a READ COMMITTED transaction, for as long as opening may take. */
  transaction<T>(operation: string, work: (execute: Execute) => Promise<T>): Promise<T> {
    return this.#patiently(operation, () => this.#calls.transaction(work, this.#openTimeout));
  }

  /** Called before each operation on the store. Where the probe rejects, this connection is as good as killed. */
  async operation(name: string): Promise<void> {
    if (this.#crashed) throw new WorldError("This World was stopped by its operation probe.");
    if (this.#probe === undefined) return;
    try {
      await this.#probe(name);
    } catch (error) {
      this.#crashed = true;
      throw error;
    }
  }

  /** Closes what was opened here; what the user passed in stays open. */
  async close(): Promise<void> {
    await Promise.all(this.#pools.map((pool) => pool.end()));
  }

  #callOn<Row>(
    calls: Calls,
    operation: string,
    text: string,
    values: readonly unknown[],
  ): Promise<readonly Row[]> {
    const isLimited = this.direct && this.#limited.has(calls);
    const statement = { text, values: [isLimited ? null : this.#serverTimeout, ...values] };
    return this.#patiently(
      operation,
      () => calls.execute(this.#prepared(statement), this.#callTimeout) as Promise<readonly Row[]>,
    );
  }

  async #patiently<T>(operation: string, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.operation(operation);
      try {
        return await work();
      } catch (error) {
        if (!isRolledBack(error) || tries === TRIES)
          throw worldError(error, this.location, { opened: this.opened });
      }
      await delay(randomInt(1, LONGEST_PAUSE + 1));
    }
  }

  // Behind a pooler the next statement may be another session's, which knows nothing of the prepared one.
  #prepared(statement: Statement): Statement {
    if (!this.direct) return statement;
    let name = this.#names.get(statement.text);
    if (name === undefined) {
      name = `perdure_${createHash("sha1").update(statement.text).digest("hex").slice(0, 20)}`;
      this.#names.set(statement.text, name);
    }
    return { ...statement, name };
  }

  /** Readies a new connection of this World's own. */
  async #prepareSession(client: pg.ClientBase): Promise<void> {
    const limits = `; SET statement_timeout = ${this.#serverTimeout}; SET lock_timeout = ${this.#serverTimeout}`;
    await within(this.#callTimeout, () => client.query(this.direct ? WARM_UP + limits : WARM_UP));
  }

  // A pooler invents the process id that it tells its clients; the server's own is another.
  async #reachesDirectly(timeout: number): Promise<boolean> {
    if (this.connectAlone === undefined) {
      await this.#calls.execute({ text: "SELECT 1", values: [] }, timeout);
      return false;
    }
    const client = this.connectAlone(timeout);
    client.on("error", () => {});
    endIfForeign(client);
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>({
        text: "SELECT pg_backend_pid() AS pid",
        types: PARSERS,
      });
      return (client as { processID?: number }).processID === rows[0]?.pid;
    } finally {
      void client.end().catch(() => {});
    }
  }
}

/** Makes the text of queries; nothing is executed by it. */
const QUERIES: Kysely<Schema> = new Kysely({
  dialect: {
    createAdapter: () => new PostgresAdapter(),
    createDriver: () => new DummyDriver(),
    createIntrospector: (db) => new PostgresIntrospector(db),
    createQueryCompiler: () => new PostgresQueryCompiler(),
  },
});

/** Settings for a connection of this World's own: dead ones are noticed, and making one does not take for ever. */
function withTimeouts(settings: pg.PoolConfig, timeout: number): pg.PoolConfig {
  return {
    ...settings,
    // A pool's password is not enumerable.
    password: settings.password,
    keepAlive: true,
    keepAliveInitialDelayMillis: KEEP_ALIVE,
    connectionTimeoutMillis: timeout,
  } as pg.PoolConfig;
}

function settingsOf(url: string | undefined, optional: boolean): pg.PoolConfig | undefined {
  if (url === undefined) return optional ? undefined : { application_name: "perdure" };
  return { connectionString: url, application_name: "perdure" };
}

function placeOf(settings: pg.PoolConfig): string {
  try {
    // The driver's own reading of URL and environment; no connection is made. It has no password in these three.
    const { host, port, database } = new pg.Client(settings);
    return `at ${host}:${port}/${database ?? ""}`;
  } catch (error) {
    // A file that the URL names, such as a certificate.
    const { message } = withoutValues(error);
    throw new WorldError(`The Postgres World cannot use its URL: ${message}. Check its parameters.`, {
      retryable: false,
    });
  }
}
