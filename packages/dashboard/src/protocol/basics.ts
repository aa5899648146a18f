/** What went wrong, and what the page asks first. */

/** What went wrong. */
export interface ApiError {
  readonly error: {
    /** Such as `not_found`, `read_only`, `bad_request`, `forbidden`, `refused` (the act cannot be done), `store` (the store does not answer). */
    readonly code: string;
    /** For people: what happened and what to do. */
    readonly message: string;
  };
}

/** The dashboard and its store. */
export interface Info {
  /** The World's name, such as `postgres`. */
  readonly world: string;
  /** Settings of the store that a user should see, such as the journal mode. No passwords. */
  readonly store: Readonly<Record<string, string | number>>;
  /** No act is allowed. */
  readonly readOnly: boolean;
  /** The store tells of changes; else they are looked for every second. */
  readonly notifications: boolean;
  /** The World has streams. */
  readonly streams: boolean;
  /** The server's time, for ages. */
  readonly now: number;
  /** The version of `@perdure/dashboard`. */
  readonly version: string;
  /** Ids of workflows that this process or a live worker has, or that the newest runs have; sorted. */
  readonly workflows: readonly string[];
}
