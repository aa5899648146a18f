import { currentExecution } from "./context.ts";
import { checkLimit } from "./define/workflow-options.ts";
import type { Duration } from "./duration.ts";
import { parseDuration } from "./duration.ts";
import { WorkflowRuntimeError } from "./errors/index.ts";
import type { Execution } from "./interpreter/execution.ts";
import { acquireLockIn, type HeldLock, releaseLockIn } from "./interpreter/kinds/lock.ts";
import { checkOptionNames, type OptionNames } from "./option-names.ts";

/** Locks as workflows see them. */

/** Options of {@link acquireLock}. */
export interface LockOptions {
  /** How many may have the lock at a time; the same for all who ask for the key. Default 1. */
  readonly limit?: number;
  /** How long to wait for it; then it is a `LockTimeoutError`. 0: it is free, or it is that error. Default: as long as it takes. */
  readonly timeout?: Duration;
}

const LOCK_OPTIONS: OptionNames<LockOptions> = { limit: true, timeout: true };

/** A lock that the run has. */
export interface Lock extends AsyncDisposable {
  readonly key: string;
  /**
   * A number that rises with every grant of the lock. Pass it to the steps that touch what the lock protects, and have it refused
   * there if a higher one was seen.
   */
  readonly fence: number;
  /** Gives it back; it resolves when who waits next has it. The end of the run does the same, and a second call nothing. */
  release(): Promise<void>;
}

/**
 * Acquires a lock that at most `limit` runs have at a time, whatever workers execute them. Who has to wait is served in the order of
 * asking, and uses no slot and no lease meanwhile. It is given back by `release`, by `await using`, or by the end of the run,
 * however it ends; `continueAsNew` keeps it, and the next generation's `acquireLock` of the key gives it.
 *
 * @param key what is locked; 1 to 255 characters that do not begin with `$`
 * @throws {LockTimeoutError} {@link DeadlockError} {@link ContextError} outside a workflow, `TypeError` for what cannot be meant
 * @example
 * ```ts
 * await using lock = await acquireLock(`order:${orderId}`, { timeout: "10 minutes" });
 * await updateBalance(orderId, lock.fence);
 * ```
 */
export async function acquireLock(key: string, options: LockOptions = {}): Promise<Lock> {
  const execution = currentExecution("acquireLock()");
  checkOptionNames("acquireLock()", options, LOCK_OPTIONS);
  checkLockKey("acquireLock()", key);
  const { limit = 1, timeout } = options;
  checkLimit("acquireLock()", limit);
  const now = execution.now();
  const length =
    timeout === undefined ? 0 : Math.max(parseDuration(timeout, now, "acquireLock({ timeout })") - now, 0);
  const request = { key, limit, timeout: timeout === undefined ? null : { duration: timeout, length } };
  return new WorkflowLock(execution, await acquireLockIn(execution, request));
}

/** @throws {TypeError} for what cannot be the key of a lock */
function checkLockKey(where: string, key: unknown): asserts key is string {
  if (typeof key !== "string" || key === "" || key.length > 255) {
    throw new TypeError(
      `${where}: the key must be a string of 1 to 255 characters, got ${typeof key === "string" ? `one of ${key.length}` : typeof key}.`,
    );
  }
  if (key.startsWith("$")) {
    throw new TypeError(
      `${where}: the key ${JSON.stringify(key.slice(0, 80))} begins with "$", which is kept for perdure itself.`,
    );
  }
}

class WorkflowLock implements Lock {
  readonly #execution: Execution;
  readonly #held: HeldLock;

  constructor(execution: Execution, held: HeldLock) {
    this.#execution = execution;
    this.#held = held;
  }

  get key(): string {
    return this.#held.key;
  }

  get fence(): number {
    const { fence } = this.#held;
    if (fence !== null) return fence;
    throw new WorkflowRuntimeError(`The lock ${JSON.stringify(this.key)} was not granted.`);
  }

  async release(): Promise<void> {
    await releaseLockIn(this.#execution, this.#held);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.release();
  }
}
