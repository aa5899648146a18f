import { withoutPasswords } from "../passwords.ts";
import type { DetachedBodies } from "./steps/detached-bodies.ts";
import type { Slots } from "./steps/slots.ts";
import type { StoreWatch } from "./upkeep/store-watch.ts";

/** How a worker is, for a health check of the process that it is in. */
export interface WorkerHealth {
  /** Whether it takes and executes runs. */
  readonly ok: boolean;
  /** Why it does not, in sentences; empty if `ok`. */
  readonly reasons: readonly string[];
  /** The store, as the last claim found it. */
  readonly store: {
    readonly reachable: boolean;
    /** Since when it is not; `null` if it is. */
    readonly awaySince: Date | null;
    /** What it says, or why it cannot be reached; `null` if it can. */
    readonly error: string | null;
  };
  /** The looks for due runs. */
  readonly claims: {
    /** When the store answered the last one; `null` before the first. */
    readonly answeredAt: Date | null;
    /** Since when one is under way; `null`: none is. */
    readonly askingSince: Date | null;
  };
  /** Since when the run has been due that is due longest and that nobody has taken, as of the last claim; `null`: none was. */
  readonly oldestDue: Date | null;
  /** Step bodies that may run at once, that run, and that wait for a slot. */
  readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  /** Step bodies that go on although their attempts are over, and how many may before the worker takes no more runs. */
  readonly detached: { readonly count: number; readonly limit: number };
  /** Runs of which it has the lease. */
  readonly heldRuns: number;
}

/** What the health of a worker is made of. */
export interface HealthFacts {
  readonly steps: { readonly slots: Slots; readonly detached: DetachedBodies };
  readonly heldRuns: number;
  readonly store: StoreWatch;
  readonly claims: { readonly askingSince: number | null; readonly oldestDue: number | null };
  /** No commit has been answered for longer than a lease. */
  readonly commitsStuck: boolean;
  readonly now: number;
  /** A claim that takes longer than this hangs, in milliseconds. */
  readonly patience: number;
}

/** The health of a worker. */
export function healthOf(facts: HealthFacts): WorkerHealth {
  const { heldRuns, store, claims, commitsStuck, now, patience } = facts;
  const { slots, detached } = facts.steps;
  const { count, limit } = detached;
  const { trouble, answeredAt } = store;
  const reasons: string[] = [];
  if (trouble !== null) {
    const seconds = Math.round((now - trouble.since) / 1000);
    const what = trouble.passing ? "cannot be reached" : "refuses this worker, which does not pass by itself";
    reasons.push(`The store ${what}, for ${seconds} s now: ${textOf(trouble.error)}`);
  }
  if (claims.askingSince !== null && now - claims.askingSince > patience) {
    const seconds = Math.round((now - claims.askingSince) / 1000);
    reasons.push(`The store has not answered the question for due runs for ${seconds} s.`);
  }
  if (commitsStuck) reasons.push("The store has not answered a commit for longer than a lease.");
  if (detached.full) {
    reasons.push(
      `${count} steps go on although their attempts are over, and maxDetached is ${limit}: no more runs are taken.`,
    );
  }
  return {
    ok: reasons.length === 0,
    reasons,
    store: {
      reachable: trouble === null,
      awaySince: dateOf(trouble?.since),
      error: trouble === null ? null : textOf(trouble.error),
    },
    claims: { answeredAt: dateOf(answeredAt), askingSince: dateOf(claims.askingSince) },
    oldestDue: dateOf(claims.oldestDue),
    slots: { limit: slots.limit, inUse: slots.inUse, queued: slots.queued },
    detached: { count, limit },
    heldRuns,
  };
}

function dateOf(ms: number | null | undefined): Date | null {
  return ms === null || ms === undefined ? null : new Date(ms);
}

function textOf(error: unknown): string {
  return withoutPasswords(error instanceof Error ? error.message : String(error));
}
