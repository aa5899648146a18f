/**
 * Names: strings that at most one run has at a time, such as hook tokens and start keys. There is one mechanism for all of
 * them. What a name means is the core's, which keeps the kinds apart by prefixes.
 */

/** Asks for a name. */
export interface NameClaim {
  /** Any string of at most 600 characters. */
  readonly name: string;
  /** What in the run has the name, such as a hook's id. The core claims no second name under an id under which the run has one. */
  readonly id: string;
  /** Kept for whoever finds the name held. */
  readonly fingerprint: string | null;
  /** What is shown to whoever looks the name up, encoded by the core. */
  readonly data: Uint8Array | null;
  /** How long the name stays with the run after the run's end, in milliseconds. 0: it ends with the run. `null`: until the run is deleted. */
  readonly keepFor: number | null;
  /** The name is not free before this time, ms since the epoch, however early the run ends. 0: no such time. */
  readonly freeAt: number;
}

/** A claim that comes with a new run. */
export interface FirstClaim extends NameClaim {
  /** If this run has the name and is terminal, the name passes from it to the new run, whatever its times say. */
  readonly from: string | null;
}

/** A name that a run has. */
export interface HeldName {
  readonly name: string;
  readonly id: string;
  readonly runId: string;
  readonly fingerprint: string | null;
  readonly data: Uint8Array | null;
  /** The `at` of the event with which it was claimed, of the first one for a {@link FirstClaim}. */
  readonly createdAt: number;
}

/** What {@link World.listNames} takes. */
export interface ListNamesQuery {
  /** Only names that begin with it, compared exactly; not one that splits a surrogate pair. Default: all. */
  readonly prefix?: string;
  /** Only names of this run. */
  readonly runId?: string;
  /** Page size. */
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
  /** As in {@link ClaimRequest}. */
  readonly now: number;
}

/** What {@link World.listNames} gives. */
export interface NamePage {
  /**
   * In an order of the store's that no change of other names changes. May be fewer than the `limit` though others follow, where
   * names were passed over that have become free.
   */
  readonly names: readonly HeldName[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}
