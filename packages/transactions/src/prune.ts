/** Removing rows that nobody needs any more. */
import { getWorld, type World } from "@perdure/core/runtime";
import { isTerminal } from "@perdure/core/world";
import { tableName } from "./adapters/sql-database.ts";
import type { TransactionalDatabase } from "./database.ts";
import { type Dialect, tableStatements } from "./sql-rows.ts";

/** Options of {@link pruneTransactions}. */
export interface PruneOptions {
  /**
   * For how long, in milliseconds, a run must have ended. As long as its rows are there, a `run.retry()` gets the results of its
   * transactions; after that it executes them again. Default: 30 days.
   */
  readonly olderThan?: number;
  /** The World of the runs. Default: that of the process. */
  readonly world?: World;
}

const MONTH = 30 * 24 * 60 * 60 * 1000;
const PAGE = 200;

/**
 * Deletes the rows of runs that have ended long ago, or are stored no more; gives how many. Rows of runs that go on stay, however
 * old. Call it now and then.
 */
export async function pruneTransactions<Trx>(
  database: TransactionalDatabase<Trx>,
  { olderThan = MONTH, world = getWorld() }: PruneOptions = {},
): Promise<number> {
  if (!Number.isFinite(olderThan) || olderThan < 0) {
    throw new TypeError(
      `pruneTransactions({ olderThan }): must be milliseconds, 0 or more, got ${String(olderThan)}.`,
    );
  }
  await world.open();
  const time = Date.now() - olderThan;
  let removed = 0;
  for (let after = ""; ; ) {
    const found = await database.transaction((trx) => database.rows(trx).runsBefore(time, after, PAGE));
    const last = found.at(-1);
    if (last === undefined) return removed;
    const runs = await world.getRuns(found);
    const over = found.filter((_, index) => {
      const run = runs[index] ?? null;
      return run === null || (isTerminal(run.status) && (run.completedAt ?? time) < time);
    });
    removed += await database.transaction((trx) => database.rows(trx).remove(over, time));
    after = last;
  }
}

/**
 * The SQL that makes the table of this package, for your migrations. Safe to execute again.
 *
 * @param table with its schema if it has one. Default `"perdure_transactions"`
 */
export function migration(dialect: Dialect, table?: string): string {
  return `${tableStatements(dialect, tableName(table)).join(";\n")};\n`;
}
