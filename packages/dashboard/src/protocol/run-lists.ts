import type { ApiError } from "./basics.ts";

/** Lists of runs. */

/** In any of these a run can be. The first three have not ended. */
export type RunStatus = "pending" | "running" | "diverged" | "completed" | "failed" | "cancelled";

/** Which runs, as a query string. Every field may be left out; all that are there must fit. */
export interface RunFilterQuery {
  /** May be repeated: any of them. */
  readonly status?: RunStatus;
  /** The workflow's id. */
  readonly workflow?: string;
  /** `name=value`. May be repeated: all of them. */
  readonly attribute?: string;
  /** The id of the run that started them. */
  readonly parent?: string;
  /** Created at this time or later: ms since the epoch, or an ISO date. */
  readonly from?: string;
  /** Created before this time: ms since the epoch, or an ISO date. */
  readonly before?: string;
}

/** A page of runs, as a query string. */
export interface RunQuery extends RunFilterQuery {
  /** Default `desc`: the newest first. */
  readonly order?: "asc" | "desc";
  /** 1 to 500, default 50. */
  readonly limit?: string;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
}

/** A run in a list. */
export interface RunRow {
  readonly runId: string;
  readonly workflow: string;
  /** The last part of the workflow's id, such as `charge` of `workflow//./src/billing//charge`. */
  readonly name: string;
  readonly status: RunStatus;
  /** Those that the user gave; perdure's own are other fields. */
  readonly attributes: Readonly<Record<string, string>>;
  readonly key: string | null;
  /** The run that started it. */
  readonly parent: string | null;
  readonly createdAt: number;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  /** When a worker looks at it next: the end of a sleep, the next attempt, the end of the lease; `null`: it waits for a message, or has ended. */
  readonly dueAt: number | null;
  /** The worker that executes it. */
  readonly owner: string | null;
  /** So many events the run has had. It grows with each change of its journal. */
  readonly seq: number;
}

/** One page of runs. */
export interface RunPage {
  readonly runs: readonly RunRow[];
  /** Runs of this page that the store has and cannot read. */
  readonly damaged: readonly { readonly runId: string; readonly message: string }[];
  /** For the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** How many runs fit, by status. */
export interface Counts {
  readonly counts: Readonly<Record<RunStatus, number>>;
  /** When they were counted. Counting what takes long is done less often. */
  readonly at: number;
}

/**
 * Server-sent events of a list: `page`, with the first page as a {@link RunPage}, at once and whenever it changes; `counts`, with
 * {@link Counts}, in the same way; `trouble`, with an {@link ApiError}, while the store does not answer. A comment every 15 s keeps the
 * connection open. A client that lost it connects again, and gets all of it anew.
 */
export type LiveRuns =
  | { readonly event: "page"; readonly data: RunPage }
  | { readonly event: "counts"; readonly data: Counts }
  | { readonly event: "trouble"; readonly data: ApiError };

/** What a search found: a run's id or the beginning of one, a start key, a hook's token, `name=value` of an attribute, a workflow. */
export interface SearchResult {
  readonly runs: readonly RunRow[];
  /** How each of `runs` was found, in their order. */
  readonly by: readonly ("id" | "key" | "token" | "attribute" | "workflow")[];
}
