/** What a database is for this package: how a transaction is made on it, and the rows that steps have in it. */

/** A database, as one of the adapters gives it. `Trx` is the transaction of its library. */
export interface TransactionalDatabase<Trx> {
  /** For error messages, such as `Postgres (Kysely)`. */
  readonly name: string;
  /** The name of the table, or collection, of this package. */
  readonly table: string;
  /** Commits what `work` did when it resolves, rolls it back when it rejects. */
  transaction<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
  /** The rows, as the transaction sees them. */
  rows(trx: Trx): StepRows;
  /** Makes the table if it is missing. For programs whose migrations are code; see `migration()` for the others. */
  createTable(): Promise<void>;
  /** Whether the error says that the same transaction may succeed if it is begun again: a serialization failure, a deadlock. */
  isPassing(error: unknown): boolean;
  /** Whether the error says that the table is missing. */
  isMissingTable(error: unknown): boolean;
}

/** The row of a step: who may write under its `stepId`, and the result of its first transaction. */
export interface StepRow {
  /** The run whose attempts may write. A retry of a failed run is another run with the same steps. */
  readonly runId: string;
  /** Runs that may no longer: the one that is retried, and those before it. */
  readonly formerRunIds: readonly string[];
  /** Attempts of the run up to this one may no longer write, for the step has failed with it; 0 for none. */
  readonly failedAttempt: number;
  readonly result: StoredResult | null;
}

/** A stored result; `text` is `null` for `undefined`. */
export interface StoredResult {
  readonly text: string | null;
}

/** Who writes, as far as rows go. */
export type Owner = Pick<StepRow, "runId" | "formerRunIds" | "failedAttempt">;

/** The rows of steps in one transaction. */
export interface StepRows {
  /**
   * The row of a step, made for this run if there is none. Whoever else takes it waits, or fails in a way that passes, until this
   * transaction is over.
   */
  take(stepId: string, runId: string, now: number): Promise<StepRow>;
  /** Says who may write from now on, in the row that was taken. */
  own(stepId: string, owner: Owner): Promise<void>;
  /** The result of a further transaction of a step; `null` if it has none. */
  read(id: string): Promise<StoredResult | null>;
  /** Stores a result, under the id of the step or of a further transaction. */
  complete(id: string, result: StoredResult, runId: string, now: number): Promise<void>;
  /** Ids of runs that have rows which were written before `time`, after `runId` in their order, at most `limit`. */
  runsBefore(time: number, after: string, limit: number): Promise<readonly string[]>;
  /** Deletes the rows of these runs that were written before `time`; how many. */
  remove(runIds: readonly string[], time: number): Promise<number>;
}
