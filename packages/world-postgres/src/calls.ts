/**
 * How statements reach the database: through a pool, or through a Kysely instance of the user's. Each call has a deadline;
 * past it the call rejects, and its connection is ended, so that the next one has a fresh connection.
 */
import { within } from "@perdure/core/world";
import { CompiledQuery, type Kysely } from "kysely";
import type { Pool, PoolClient } from "pg";
import { PARSERS } from "./answers.ts";

export interface Statement {
  readonly text: string;
  readonly values: readonly unknown[];
  /** Under this name it is prepared once per connection. */
  readonly name?: string;
}

/** Executes one statement of a transaction. */
export type Execute = (text: string, values?: readonly unknown[]) => Promise<readonly unknown[]>;

export interface Calls {
  /** Executes one statement, which is a transaction of its own. `timeout` in milliseconds. */
  execute(statement: Statement, timeout: number): Promise<readonly unknown[]>;
  /** A READ COMMITTED transaction; `timeout` is for all of it. */
  transaction<T>(work: (execute: Execute) => Promise<T>, timeout: number): Promise<T>;
}

// Waiting for another process that migrates is not waiting for a lock held by mistake.
const BEGIN =
  "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0";

/** Through a pool. */
export class PoolCalls implements Calls {
  readonly #pool: Pool;

  constructor(pool: Pool) {
    this.#pool = pool;
  }

  execute({ text, values, name }: Statement, timeout: number): Promise<readonly unknown[]> {
    const query = { text, values: values as unknown[], types: PARSERS, ...(name !== undefined && { name }) };
    return this.#withClient(async (client) => (await client.query(query)).rows, timeout);
  }

  transaction<T>(work: (execute: Execute) => Promise<T>, timeout: number): Promise<T> {
    return this.#withClient(async (client) => {
      await client.query(BEGIN);
      const result = await work(async (text, values = []) => {
        return (await client.query({ text, values: values as unknown[], types: PARSERS })).rows;
      });
      await client.query("COMMIT");
      return result;
    }, timeout);
  }

  /** A client that `work` failed with is ended, and with it what it had begun. */
  async #withClient<T>(work: (client: PoolClient) => Promise<T>, timeout: number): Promise<T> {
    let release: ((error?: Error) => void) | undefined;
    let late: Error | undefined;
    const run = async (): Promise<T> => {
      const client = await this.#pool.connect();
      // A connection that is lost under a query emits this besides; nobody listening would end the process.
      const onError = (): void => {};
      client.on("error", onError);
      release = (error) => {
        release = undefined;
        client.off("error", onError);
        client.release(error);
      };
      try {
        if (late !== undefined) throw late;
        const result = await work(client);
        release?.();
        return result;
      } catch (error) {
        release?.(error as Error);
        throw error;
      }
    };
    return within(timeout, run, (error) => {
      late = error;
      release?.(error);
      return error;
    });
  }
}

/**
 * Through a Kysely instance. Its connections are the user's: one that does not answer goes back to its pool when the query
 * ends, however long that takes.
 */
export class KyselyCalls implements Calls {
  // biome-ignore lint/suspicious/noExplicitAny: any database type.
  readonly #db: Kysely<any>;

  // biome-ignore lint/suspicious/noExplicitAny: any database type.
  constructor(db: Kysely<any>) {
    this.#db = db.withoutPlugins();
  }

  execute({ text, values }: Statement, timeout: number): Promise<readonly unknown[]> {
    return within(timeout, () => this.#rows(this.#db, text, values));
  }

  transaction<T>(work: (execute: Execute) => Promise<T>, timeout: number): Promise<T> {
    return within(timeout, () =>
      this.#db
        .transaction()
        .setIsolationLevel("read committed")
        .execute((db) => work((text, values = []) => this.#rows(db, text, values))),
    );
  }

  // biome-ignore lint/suspicious/noExplicitAny: any database type.
  async #rows(db: Kysely<any>, text: string, values: readonly unknown[]): Promise<readonly unknown[]> {
    return (await db.executeQuery(CompiledQuery.raw(text, [...values]))).rows;
  }
}
