import type { RunStatus } from "./run-lists.ts";
import type { Shown } from "./values.ts";

/** What a store holds beside the runs. */

/** Which names, as a query string. */
export interface NamesQuery {
  /** Only those of this run. */
  readonly run?: string;
  /** 1 to 500, default 100. */
  readonly limit?: string;
  readonly cursor?: string;
}

/** A hook that a run waits for. Whoever has the token can deliver to it. */
export interface HookRow {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
  readonly createdAt: number;
  /** It is a webhook: HTTP requests come to it. */
  readonly webhook: boolean;
  readonly metadata: Shown | null;
}

/** One page of hooks. */
export interface HookPage {
  readonly hooks: readonly HookRow[];
  readonly cursor: string | null;
}

/** A start's key that its run still has. */
export interface KeyRow {
  readonly key: string;
  readonly workflow: string;
  readonly name: string;
  readonly runId: string;
  readonly createdAt: number;
}

/** One page of keys. */
export interface KeyPage {
  readonly keys: readonly KeyRow[];
  readonly cursor: string | null;
}

/** A lock that a run has. */
export interface LockRow {
  readonly key: string;
  /** How many runs may have it at a time. */
  readonly limit: number;
  readonly holders: readonly {
    readonly runId: string;
    readonly fence: number;
    /** `null`: its row is gone, or cannot be read. */
    readonly status: RunStatus | null;
  }[];
  readonly waiting: number;
}

/** All locks that runs have; with `?run=`, those of one. */
export interface LockList {
  readonly locks: readonly LockRow[];
}

/** A worker that lives. */
export interface WorkerRow {
  readonly workerId: string;
  readonly host: string;
  readonly pid: number;
  readonly startedAt: number;
  /** Its last sign of life; they come every ten seconds. */
  readonly seenAt: number;
  readonly workflows: readonly string[];
  readonly ok: boolean;
  /** Why it is not, in sentences. */
  readonly reasons: readonly string[];
  readonly heldRuns: number;
  readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  readonly detached: { readonly count: number; readonly limit: number };
  /** How long the run has been due that is due longest, in ms; `null`: none is. */
  readonly lag: number | null;
}

/** The workers that live. */
export interface WorkerList {
  readonly workers: readonly WorkerRow[];
  readonly now: number;
}
