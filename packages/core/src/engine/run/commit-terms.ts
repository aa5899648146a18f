/** How the next commit is made. */
export interface CommitTerms {
  /** Lease length in milliseconds. */
  readonly ttl: number;
  /** Give the run back as soon as possible. */
  readonly handOver: boolean;
  /** The most bytes of events. */
  readonly limit: number;
}
