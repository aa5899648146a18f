import type { Attributes, RunRecord, RunStatus } from "./run.ts";

/** Reading: queries that change nothing and lock nothing; and the deletion of old runs. */

/** Which runs a query is about: those that fit every field that is there. */
export interface RunFilter {
  /** Any of these. */
  readonly statuses?: readonly RunStatus[];
  readonly workflow?: string;
  readonly queue?: string;
  /** The run has every one of these attributes, with this value. */
  readonly attributes?: Attributes;
  /** Created at this time or later. */
  readonly createdFrom?: number;
  /** Created before this time. */
  readonly createdBefore?: number;
  /** Ended before this time. */
  readonly completedBefore?: number;
}

/** What {@link World.listRuns} takes. */
export interface ListRunsQuery extends RunFilter {
  /** Page size. */
  readonly limit: number;
  /** The `cursor` of the page before, of the same filter and order. */
  readonly cursor?: string;
  /**
   * By `createdAt`, or by `completedAt` where the filter has `completedBefore`; runs of one time by `runId`. Default
   * `"desc"`: the newest first.
   */
  readonly order?: "asc" | "desc";
  /** With `output`, `error` and `state`; without, all three are `null` in the rows. Default false. */
  readonly payloads?: boolean;
}

/** What {@link World.listRuns} gives. */
export interface RunPage {
  readonly runs: readonly RunRecord[];
  /** The runs of this page that cannot be read, in place of their rows. */
  readonly damaged: readonly DamagedRun[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}

/** A run whose row the store has, and cannot be read. */
export interface DamagedRun {
  readonly runId: string;
  readonly damage: Error;
}
