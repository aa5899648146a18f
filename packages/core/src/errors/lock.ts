/** Errors of `acquireLock`. */
import { defineKind, isKind, WorkflowError } from "./base.ts";

/** The lock was not free within the `timeout`. The run does not wait for it any more. */
export class LockTimeoutError extends WorkflowError {
  readonly key: string;
  /** How long it was waited for, in milliseconds. */
  readonly timeout: number;

  constructor(key: string, timeout: number) {
    super(
      `The lock ${JSON.stringify(key)} was not free${timeout === 0 ? "" : ` within ${timeout} ms`}. Wait longer for it, or catch ` +
        "this error and go on without.",
    );
    this.key = key;
    this.timeout = timeout;
  }

  static override is(value: unknown): value is LockTimeoutError {
    return isKind(value, "LOCK_TIMEOUT");
  }
}
defineKind(LockTimeoutError, "LOCK_TIMEOUT");

/** A run of a deadlock, and the lock that it waits for. */
export interface DeadlockMember {
  readonly runId: string;
  readonly key: string;
}

/**
 * Runs wait for each other's locks, so none of them would ever go on. The youngest of them gets this error in place of the lock that
 * it waits for; the others go on when it has given back what they wait for.
 */
export class DeadlockError extends WorkflowError {
  /** The run that got the error. */
  readonly runId: string;
  /** Each run waits for a lock that the next one has, the last for one that the first has. */
  readonly cycle: readonly DeadlockMember[];

  constructor(runId: string, cycle: readonly DeadlockMember[]) {
    const links = cycle.map(({ runId, key }, index) => {
      const next = cycle[(index + 1) % cycle.length];
      const holder = next?.runId === runId ? "it has itself" : `run "${next?.runId}" has`;
      return `run "${runId}" waits for the lock ${JSON.stringify(key)}, which ${holder}`;
    });
    super(
      `Deadlock: ${links.join(", and ")}. Run "${runId}", the youngest, does not get its lock. Acquire locks in the same order ` +
        "everywhere, or release one before you wait for the next.",
    );
    this.runId = runId;
    this.cycle = cycle;
  }

  /** All runs of the deadlock. */
  get runIds(): readonly string[] {
    return this.cycle.map(({ runId }) => runId);
  }

  /** All keys of the deadlock. */
  get keys(): readonly string[] {
    return this.cycle.map(({ key }) => key);
  }

  static override is(value: unknown): value is DeadlockError {
    return isKind(value, "DEADLOCK");
  }
}
defineKind(DeadlockError, "DEADLOCK");
