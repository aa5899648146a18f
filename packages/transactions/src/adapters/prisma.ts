import type { Dialect, Row } from "../sql-rows.ts";
import { numbered } from "../sql-rows.ts";
import { type SqlDatabase, type SqlOptions, sqlDatabase } from "./sql-database.ts";

/** What is used of a `PrismaClient`. */
interface PrismaLike<Trx> {
  $transaction<T>(work: (trx: Trx) => Promise<T>, options?: PrismaTransactionOptions): Promise<T>;
}

interface Raw {
  readonly _activeProvider?: string;
  $connect?: unknown;
  $executeRawUnsafe(sql: string, ...parameters: unknown[]): Promise<number>;
  $queryRawUnsafe(sql: string, ...parameters: unknown[]): Promise<unknown>;
}

/** What Prisma takes with a transaction. */
export interface PrismaTransactionOptions {
  /** In milliseconds. */
  readonly maxWait?: number;
  /** In milliseconds. Prisma's own default is 5,000. */
  readonly timeout?: number;
}

/** Options of {@link fromPrisma}. */
export interface PrismaOptions extends SqlOptions {
  /** How long transactions may take. */
  readonly transaction?: PrismaTransactionOptions;
}

/**
 * Prisma, on Postgres, SQLite, MySQL or MariaDB.
 *
 * @param prisma the `PrismaClient`, for {@link transactional}; the client of an interactive transaction, for `{ tx }`
 */
export function fromPrisma<Trx>(
  prisma: PrismaLike<Trx> | Omit<PrismaLike<Trx>, "$transaction">,
  options: PrismaOptions = {},
): SqlDatabase<Trx> {
  const handle = prisma as unknown as Raw;
  const isDatabase = typeof handle.$connect === "function";
  const dialect = options.dialect ?? dialectOf(handle._activeProvider);
  return sqlDatabase(
    {
      adapter: "fromPrisma",
      dialect,
      is: { transaction: !isDatabase, database: isDatabase },
      transaction: (work) => (prisma as PrismaLike<Trx>).$transaction(work, options.transaction),
      query: (trx) => async (sql, parameters) => {
        const text = dialect === "postgres" ? numbered(sql) : sql;
        if (text.startsWith("SELECT"))
          return (await (trx as Raw).$queryRawUnsafe(text, ...parameters)) as Row[];
        await (trx as Raw).$executeRawUnsafe(text, ...parameters);
        return [];
      },
      execute: (sql, parameters) => handle.$executeRawUnsafe(sql, ...parameters),
    },
    options,
  );
}

function dialectOf(provider: string | undefined): Dialect | undefined {
  if (provider === "postgresql" || provider === "postgres") return "postgres";
  return provider === "sqlite" || provider === "mysql" ? provider : undefined;
}
