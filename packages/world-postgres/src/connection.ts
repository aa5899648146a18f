/**
 * The connections of one World, and the one way in which it reads and writes through them.
 *
 * A write is one call of a function in the database: one round trip and one transaction, at whatever isolation level the
 * user's role has. Under READ COMMITTED, Postgres's default, each statement in a function sees what was committed before
 * it began, so what is read after a lock is what the lock protects. Under REPEATABLE READ and SERIALIZABLE a lock on a
 * row that changed meanwhile fails instead, and the call is made again.
 */
import { createHash, randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { OperationProbe } from "@perdure/core/world";
import { CompiledQuery, Kysely, PostgresDialect, type PostgresPool } from "kysely";
import pg from "pg";
import type { Config } from "./config.ts";
import { isRolledBack, isUnreachable, worldError } from "./errors.ts";
import type { Schema } from "./schema.ts";

/** Executes one statement. */
type Execute = (text: string, values: readonly unknown[]) => Promise<readonly unknown[]>;

// A deadlock or a serialization failure ends with the transaction that met it; more than this is no bad luck.
const TRIES = 10;
const LONGEST_PAUSE = 20;

// The memory allocator of most Linux servers gives memory back to the system after each statement that has used more
// than 128 kB, and asks for it again in the next one; two thirds of the time of a small commit went into that. Once a
// larger piece than this was freed, it keeps up to 2 MB.
const WARM_UP = "SELECT length(repeat('x', 1000000))";

async function warmUp(client: pg.ClientBase): Promise<void> {
  await client.query(WARM_UP);
}

// Renewals and notifications need one connection each at a time.
const SERVICE_CONNECTIONS = 2;

export class Connection {
  /** For messages: server, database and schema. */
  readonly location: string;
  readonly db: Kysely<Schema>;
  /** Makes a connection outside of every pool, or `undefined` where this World was given no way to. */
  readonly connectAlone: (() => pg.Client) | undefined;
  /** Whether prepared statements and notifications reach this session, and not another one behind a pooler. */
  direct = false;
  readonly #execute: Execute;
  readonly #executeService: Execute;
  readonly #pools: readonly pg.Pool[];
  readonly #probe: OperationProbe | undefined;
  #crashed = false;

  constructor(config: Config) {
    const { url, kysely, schema } = config;
    const pools: pg.Pool[] = [];
    const own = (options: pg.PoolConfig, max: number): pg.Pool => {
      // A pool's password is not enumerable.
      const { password } = options;
      const pool = new pg.Pool({ ...options, password, max, ...QUIET, onConnect: warmUp } as pg.PoolConfig);
      // A connection that is lost while nobody uses it is replaced when it is needed.
      pool.on("error", () => {});
      pools.push(pool);
      return pool;
    };
    const settings: pg.PoolConfig | undefined = config.pool?.options ?? settingsOf(url, kysely !== undefined);
    const pool =
      config.pool ?? (kysely === undefined ? own(settings ?? {}, config.maxConnections) : undefined);
    const service = settings === undefined ? undefined : own(settings, SERVICE_CONNECTIONS);

    this.db = (
      kysely ?? new Kysely({ dialect: new PostgresDialect({ pool: guarded(pool as pg.Pool) }) })
    ).withoutPlugins();
    this.#execute = pool === undefined ? viaKysely(this.db) : this.#viaPool(pool);
    this.#executeService = service === undefined ? this.#execute : this.#viaPool(service);
    this.connectAlone = settings === undefined ? undefined : () => new pg.Client(settings);
    this.#pools = pools;
    this.#probe = config.beforeOperation;
    this.location = `${settings === undefined ? "of a Kysely instance" : placeOf(settings)}, schema ${schema}`;
  }

  /**
   * Waits until the server answers, `timeout` milliseconds at the most, and finds out whether it is reached directly.
   *
   * @throws {WorldError} when it does not answer, or refuses
   */
  async ready(timeout: number): Promise<void> {
    const pause = 200;
    for (let waited = 0; ; waited += pause) {
      try {
        this.direct = await this.#reachesDirectly();
        return;
      } catch (error) {
        if (!isUnreachable(error) || waited >= timeout) {
          throw worldError(error, this.location, { reached: false });
        }
      }
      await delay(pause);
    }
  }

  /** Calls a function of the database; repeats the call where Postgres rolled it back for another one's sake. */
  call<Row>(operation: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#patiently(operation, () => this.#execute(text, values) as Promise<readonly Row[]>);
  }

  /** As {@link call}, on connections that user code cannot keep busy. */
  callAside<Row>(operation: string, text: string, values: readonly unknown[]): Promise<readonly Row[]> {
    return this.#patiently(operation, () => this.#executeService(text, values) as Promise<readonly Row[]>);
  }

  /** Runs a query, or a transaction. */
  run<T>(operation: string, work: (db: Kysely<Schema>) => Promise<T>): Promise<T> {
    return this.#patiently(operation, () => work(this.db));
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

  async #patiently<T>(operation: string, work: () => Promise<T>): Promise<T> {
    for (let tries = 1; ; tries++) {
      await this.operation(operation);
      try {
        return await work();
      } catch (error) {
        if (!isRolledBack(error) || tries === TRIES) throw worldError(error, this.location);
      }
      await delay(randomInt(1, LONGEST_PAUSE + 1));
    }
  }

  #viaPool(pool: pg.Pool): Execute {
    const names = new Map<string, string>();
    return async (text, values) => {
      let query: pg.QueryConfig = { text, values: values as unknown[] };
      // Behind a pooler the next statement may be another session's, which knows nothing of the prepared one.
      if (this.direct) {
        let name = names.get(text);
        if (name === undefined) {
          name = `perdure_${createHash("sha1").update(text).digest("hex").slice(0, 20)}`;
          names.set(text, name);
        }
        query = { ...query, name };
      }
      return (await pool.query(query)).rows;
    };
  }

  // A pooler invents the process id that it tells its clients; the server's own is another.
  async #reachesDirectly(): Promise<boolean> {
    if (this.connectAlone === undefined) {
      await this.#execute("SELECT 1", []);
      return false;
    }
    const client = this.connectAlone();
    client.on("error", () => {});
    try {
      await client.connect();
      const { rows } = await client.query<{ pid: number }>("SELECT pg_backend_pid() AS pid");
      return (client as { processID?: number }).processID === rows[0]?.pid;
    } finally {
      await client.end().catch(() => {});
    }
  }
}

/** What every connection of this World's own has: nothing of it keeps the process alive or dies in silence. */
const QUIET = { allowExitOnIdle: true, keepAlive: true, connectionTimeoutMillis: 10_000 } as const;

function settingsOf(url: string | undefined, optional: boolean): pg.PoolConfig | undefined {
  if (url === undefined) return optional ? undefined : { application_name: "perdure" };
  return { connectionString: url, application_name: "perdure" };
}

function placeOf(settings: pg.PoolConfig): string {
  // The driver's own reading of URL and environment; no connection is made. It has no password in these three.
  const { host, port, database } = new pg.Client(settings);
  return `at ${host}:${port}/${database}`;
}

/**
 * A client that loses its connection under a query rejects the query and emits `error` besides. Kysely does not listen,
 * and an `error` that nobody hears ends the process.
 */
function guarded(pool: pg.Pool): PostgresPool {
  const heard = new WeakSet<pg.PoolClient>();
  return {
    options: pool.options,
    end: () => pool.end(),
    async connect() {
      const client = await pool.connect();
      if (!heard.has(client)) client.on("error", () => {});
      heard.add(client);
      return client;
    },
  };
}

function viaKysely(db: Kysely<Schema>): Execute {
  return async (text, values) => (await db.executeQuery(CompiledQuery.raw(text, [...values]))).rows;
}
