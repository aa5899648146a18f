import type { CommitResult } from "../../world/index.ts";

/** How the next commit is made. */
export interface CommitTerms {
  /** Lease length in milliseconds. */
  readonly ttl: number;
  /** Give the run back as soon as possible. */
  readonly handOver: boolean;
  /** The most bytes of events. */
  readonly limit: number;
}

/** The store has taken it. */
export type Committed = CommitResult & { readonly outcome: "committed" };
