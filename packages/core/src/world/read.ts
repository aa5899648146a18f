import type { RunRecord, RunStatus } from "./run.ts";

/** Reading: queries that change nothing and lock nothing. */

export interface ListRunsQuery {
  readonly workflow?: string;
  readonly status?: RunStatus;
  /** Page size. */
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** By `runId`, which is by creation time. Default `"desc"`: the newest first. */
  readonly order?: "asc" | "desc";
}

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
  readonly createdAt: number;
  /** The `data` of its `hook_created` event. */
  readonly data: Uint8Array | null;
}

export interface ListHooksQuery {
  readonly runId?: string;
  readonly limit: number;
  readonly cursor?: string;
}

export interface HookPage {
  /** By token. */
  readonly hooks: readonly HookRecord[];
  readonly cursor: string | null;
}

export interface DeleteRunsRequest {
  /** Terminal runs whose `completedAt` is before this time go, with journal, mailbox and start key. */
  readonly completedBefore: number;
  /** At most so many in this call, so that no lock is held for long. */
  readonly limit: number;
}
