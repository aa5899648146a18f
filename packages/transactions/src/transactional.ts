/**
 * Transactions of steps: what the body writes and its result become true together, once for a step, whatever is retried, killed or
 * wakes up late.
 *
 * In the transaction, in this order: the step's row is taken, which locks it; it says whether this attempt may still write, and
 * whether the result is there already; the body; the result. A step's failure is journalled only when the row says that the
 * attempts up to that one may not write any more, for which the row is taken in a transaction of its own: whoever writes for the
 * step at that moment is waited for.
 */
import { AsyncLocalStorage } from "node:async_hooks";
import { setTimeout as delay } from "node:timers/promises";
import { StaleAttemptError, WorkflowRuntimeError } from "@perdure/core/errors";
import {
  beforeStepFailure,
  type CallingAttempt,
  callingAttempt,
  type FailedStep,
  stepNameOf,
} from "@perdure/core/transactions";
import type { Owner, StepRow, StoredResult, TransactionalDatabase } from "./database.ts";

/** Options of {@link transactional}. */
export interface TransactionalOptions {
  /**
   * The steps that have transactions in the database. A process that executes steps learns it from their first `run`; where they
   * are named here, a failure is noted in the database also by a process in which none of them got there.
   */
  readonly steps?: readonly ((...args: never[]) => unknown)[];
}

/** What {@link transactional} gives. */
export interface Transactional<Trx> {
  /**
   * Executes `work` in a transaction and commits it together with its result. Once the result is there, `run` gives that to every
   * attempt of the step and calls nothing. The result crosses the database by value, like that of a step. Several calls in one
   * step are told apart by their order, and executed in it.
   *
   * A serialization failure or a deadlock begins the transaction, with `work`, again, up to ten times. What else `work` rejects with
   * rolls it back, and is thrown.
   *
   * @throws {ContextError} outside a step
   * @throws {StaleAttemptError} if the attempt is over, or its step has failed: nothing was written
   * @throws {WorkflowRuntimeError} if the table is missing, or in the transaction of another `run`
   */
  run<T>(work: (trx: Trx) => Promise<T>): Promise<T>;
}

/** So often a transaction is begun when the database says that it may succeed if it is begun again. */
const TRIES = 10;
const FIRST_PAUSE = 10;
const LONGEST_PAUSE = 1_000;

/** The transactions of one attempt: they are executed one after the other. */
interface AttemptCalls {
  count: number;
  last: Promise<unknown>;
}

const attempts = new WeakMap<object, AttemptCalls>();
/** The attempt in whose transaction the calling code is. */
const inside = new AsyncLocalStorage<object>();

/**
 * Transactions of steps on a database of yours, whatever World the run is in.
 *
 * @param database what `fromKysely(db)`, `fromPg(pool)`, `fromDrizzle(db)`, `fromPrisma(prisma)`, `fromKnex(knex)`,
 *   `fromTypeOrm(dataSource)` or `fromMongo(client)` gives
 * @example
 * ```ts
 * const accounts = transactional(fromKysely(db));
 *
 * async function debit(customer: string, amount: number): Promise<number> {
 *   "use step";
 *   return await accounts.run(async (trx) => {
 *     await trx.insertInto("debits").values({ customer, amount }).execute();
 *     return amount;
 *   });
 * }
 * ```
 */
export function transactional<Trx>(
  database: TransactionalDatabase<Trx>,
  options: TransactionalOptions = {},
): Transactional<Trx> {
  const fence = (step: FailedStep): Promise<void> => failed(database, step);
  for (const each of options.steps ?? []) {
    const name = stepNameOf(each);
    if (name === undefined) {
      throw new TypeError(`transactional({ steps }): ${each.name || String(each)} is not a step function.`);
    }
    beforeStepFailure(name, fence);
  }
  return {
    async run(work) {
      const attempt = callingAttempt("transactional().run()");
      if (inside.getStore() === attempt.identity) {
        throw new WorkflowRuntimeError(
          "transactional().run() was called in the work of another run() of this step: it would wait for itself. Use the " +
            "transaction that the work was given.",
        );
      }
      if (attempt.isOver()) throw new StaleAttemptError(attempt);
      // Before anything is awaited: an attempt that ends from here on is fenced.
      beforeStepFailure(attempt.stepName, fence);
      const calls = attempts.get(attempt.identity) ?? { count: 0, last: Promise.resolve() };
      attempts.set(attempt.identity, calls);
      calls.count++;
      const id = calls.count === 1 ? attempt.stepId : `${attempt.stepId}-${calls.count}`;
      const result = calls.last.then(() =>
        repeated(database, () =>
          once(database, attempt, id, (trx) => inside.run(attempt.identity, () => work(trx))),
        ),
      );
      calls.last = result.catch(() => {});
      return await result;
    },
  };
}

/** One transaction of a call. */
async function once<Trx, T>(
  database: TransactionalDatabase<Trx>,
  attempt: CallingAttempt,
  id: string,
  work: (trx: Trx) => Promise<T>,
): Promise<T> {
  const { runId, stepId } = attempt;
  const done = await database.transaction(async (trx): Promise<{ stored: StoredResult } | { value: T }> => {
    const rows = database.rows(trx);
    const row = await rows.take(stepId, runId, Date.now());
    const owner = ownerFor(row, attempt);
    if (owner === null || attempt.isOver()) throw new StaleAttemptError(attempt);
    if (owner !== row) await rows.own(stepId, owner);
    const stored = id === stepId ? row.result : await rows.read(id);
    if (stored !== null) return { stored };
    const value = await work(trx);
    await rows.complete(id, { text: await attempt.toText(value, id) }, runId, Date.now());
    if (attempt.isOver()) throw new StaleAttemptError(attempt);
    return { value };
  });
  return "stored" in done ? ((await attempt.fromText(done.stored.text, id)) as T) : done.value;
}

/** Notes that the attempts of a step up to this one may not write any more. */
async function failed<Trx>(database: TransactionalDatabase<Trx>, step: FailedStep): Promise<void> {
  const { runId, stepId, attempt } = step;
  const note = (): Promise<void> =>
    database.transaction(async (trx) => {
      const rows = database.rows(trx);
      const row = await rows.take(stepId, runId, Date.now());
      // A retry of the run has the step.
      if (row.formerRunIds.includes(runId)) return;
      await rows.own(stepId, {
        runId,
        formerRunIds: formerFor(row, runId),
        failedAttempt: row.runId === runId ? Math.max(row.failedAttempt, attempt) : attempt,
      });
    });
  try {
    await repeated(database, note);
  } catch (error) {
    // Where there is no table nobody has written, nor can.
    if (!database.isMissingTable(error)) throw error;
  }
}

/** Who owns the row when this attempt writes: the row's owner, or its own run, whose retry it is; `null` if it may not write. */
function ownerFor(row: StepRow, { runId, attempt }: CallingAttempt): Owner | null {
  if (row.formerRunIds.includes(runId)) return null;
  if (row.runId === runId) return attempt > row.failedAttempt ? row : null;
  return { runId, formerRunIds: formerFor(row, runId), failedAttempt: 0 };
}

function formerFor(row: StepRow, runId: string): readonly string[] {
  return row.runId === runId ? row.formerRunIds : [...row.formerRunIds, row.runId];
}

async function repeated<T>(
  database: Pick<TransactionalDatabase<never>, "name" | "table" | "isPassing" | "isMissingTable">,
  work: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (database.isMissingTable(error)) throw missingTable(database, error);
      if (tries === TRIES || !database.isPassing(error)) throw error;
      const pause = Math.min(FIRST_PAUSE * 2 ** (tries - 1), LONGEST_PAUSE);
      await delay(pause * (0.5 + Math.random() / 2));
    }
  }
}

function missingTable(
  { name, table }: { readonly name: string; readonly table: string },
  cause: unknown,
): Error {
  return new WorkflowRuntimeError(
    `The table ${table} is missing in ${name}: transactions of steps keep their results there. Add what migration() gives to ` +
      "your migrations, or call createTable() of the adapter.",
    { cause },
  );
}
