import type { DetachedBodies } from "./steps/detached-bodies.ts";
import type { Slots } from "./steps/slots.ts";

/** How a worker is, for a health check of the process that it is in. */
export interface WorkerHealth {
  /** Whether it takes and executes runs. */
  readonly ok: boolean;
  /** Why it does not, in sentences; empty if `ok`. */
  readonly reasons: readonly string[];
  /** Step bodies that may run at once, that run, and that wait for a slot. */
  readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  /** Step bodies that go on although their attempts are over, and how many may before the worker takes no more runs. */
  readonly detached: { readonly count: number; readonly limit: number };
  /** Runs of which it has the lease. */
  readonly heldRuns: number;
}

/** The health of a worker with these slots and bodies. */
export function healthOf(slots: Slots, detached: DetachedBodies, heldRuns: number): WorkerHealth {
  const { count, limit } = detached;
  const reasons = detached.full
    ? [
        `${count} steps go on although their attempts are over, and maxDetached is ${limit}: no more runs are taken.`,
      ]
    : [];
  return {
    ok: reasons.length === 0,
    reasons,
    slots: { limit: slots.limit, inUse: slots.inUse, queued: slots.queued },
    detached: { count, limit },
    heldRuns,
  };
}
