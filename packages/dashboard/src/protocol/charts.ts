import type { RunStatus } from "./run-lists.ts";

/** Charts. */

/** Which charts, as a query string. */
export interface ChartQuery {
  /** How far back, such as `1h`, `24h`, `7d`. Default `1h`, at most `30d`. */
  readonly range?: string;
  /** Only runs of this workflow. */
  readonly workflow?: string;
}

/**
 * Columns for charts: each array has one value for each of `times`. Ended runs are read newest first up to a bound; where there are
 * more, each bucket is estimated from the last runs in it, and `estimated` is true. `backlog` and `lag` are what the dashboard saw
 * itself while somebody looked: `null` before.
 */
export interface Charts {
  /** The beginnings of the buckets. */
  readonly times: readonly number[];
  /** The length of a bucket. */
  readonly step: number;
  readonly estimated: boolean;
  /** Runs that ended in each bucket, by status. */
  readonly completed: readonly number[];
  readonly failed: readonly number[];
  readonly cancelled: readonly number[];
  /** From start to end of the runs that ended, the middle one and the slowest twentieth; `null` where none did. */
  readonly tookP50: readonly (number | null)[];
  readonly tookP95: readonly (number | null)[];
  /** From creation to start: how long runs waited for a worker. */
  readonly waitedP50: readonly (number | null)[];
  readonly waitedP95: readonly (number | null)[];
  /** Runs that are pending. */
  readonly backlog: readonly (number | null)[];
  /** How long the run has been due that is due longest. */
  readonly lag: readonly (number | null)[];
  /** Now: runs by status but for those that completed, which would be counted one by one; and the workers. */
  readonly now: {
    readonly at: number;
    readonly counts: Readonly<Record<Exclude<RunStatus, "completed">, number>>;
    readonly workers: number;
    readonly lag: number | null;
    readonly slots: { readonly limit: number; readonly inUse: number; readonly queued: number };
  };
}
