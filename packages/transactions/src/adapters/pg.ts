import { numbered, type Row } from "../sql-rows.ts";
import { bound, type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of a client of `pg`. */
interface PgClient {
  query(sql: string, parameters?: unknown[]): Promise<{ readonly rows: readonly Row[] }>;
}

/** What is used of its pool. */
interface PgPool<Client> {
  readonly totalCount: number;
  connect(): Promise<Client & { release(error?: Error | boolean): void }>;
}

/**
 * `pg`, on Postgres.
 *
 * @param pool a `Pool`, or a `Client` that nobody else uses meanwhile, for {@link transactional}; a client on which `BEGIN` was
 *   sent, for `{ tx }`
 */
export function fromPg<Client extends PgClient>(
  pool: PgPool<Client> | Client,
  options: Omit<SqlOptions, "dialect"> = {},
): SqlDatabase<Client> {
  const isPool = "totalCount" in pool;
  let last: Promise<unknown> = Promise.resolve();

  /** The transactions of a client follow each other. */
  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const next = last.then(work);
    last = next.catch(() => {});
    return next;
  }

  return sqlDatabase<Client>(
    {
      adapter: "fromPg",
      dialect: "postgres",
      is: { transaction: !isPool, database: true },
      async transaction(work) {
        if (!isPool) return await inTurn(() => within(pool as Client, work));
        const client = await (pool as PgPool<Client>).connect();
        let broken: Error | undefined;
        try {
          return await within(client, work, (error) => {
            broken = error;
          });
        } finally {
          client.release(broken);
        }
      },
      query: (client) => async (sql, parameters) => (await client.query(numbered(sql), [...parameters])).rows,
      execute: (sql, parameters) => (pool as Client).query(sql, bound(parameters)),
    },
    options,
  );
}

async function within<Client extends PgClient, T>(
  client: Client,
  work: (client: Client) => Promise<T>,
  onBroken: (error: Error) => void = () => {},
): Promise<T> {
  await client.query("BEGIN");
  try {
    const value = await work(client);
    await commit(client);
    return value;
  } catch (error) {
    await client.query("ROLLBACK").catch(onBroken);
    throw error;
  }
}

/** A `COMMIT` of a transaction in which a statement failed, and its error was caught, is answered without an error. */
async function commit(client: PgClient): Promise<void> {
  const { command } = (await client.query("COMMIT")) as { readonly command?: string };
  if (command === "ROLLBACK") {
    throw new Error(
      "A statement of the transaction failed and its error was caught, so Postgres rolled it back.",
    );
  }
}
