import type { RunRecord, RunStatus } from "./run.ts";

/** Reading: queries that change nothing and lock nothing; and the deletion of old runs. */

/** What {@link World.listRuns} takes. */
export interface ListRunsQuery {
  /** Only runs of this workflow. */
  readonly workflow?: string;
  /** Only runs that have this status. */
  readonly status?: RunStatus;
  /** Page size. */
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** By `runId`, which is by creation time. Default `"desc"`: the newest first. */
  readonly order?: "asc" | "desc";
}

/** What {@link World.listRuns} gives. */
export interface RunPage {
  readonly runs: readonly RunRecord[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** A live hook. */
export interface HookRecord {
  readonly token: string;
  readonly hookId: string;
  readonly runId: string;
  /** Milliseconds since the epoch: the `at` of its `hook_created` event. */
  readonly createdAt: number;
  /** The `data` of its `hook_created` event. */
  readonly data: Uint8Array | null;
}

/** What {@link World.listHooks} takes. */
export interface ListHooksQuery {
  /** Only hooks of this run. */
  readonly runId?: string;
  /** Page size. */
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
}

/** What {@link World.listHooks} gives. */
export interface HookPage {
  /** In the order of their tokens. */
  readonly hooks: readonly HookRecord[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** What {@link World.deleteRuns} takes. */
export interface DeleteRunsRequest {
  /** Terminal runs whose `completedAt` is before this time go, with journal, mailbox and start key. */
  readonly completedBefore: number;
  /** At most so many in this call, so that no lock is held for long. */
  readonly limit: number;
}
