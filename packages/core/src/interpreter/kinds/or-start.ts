/** Payloads that start a run if nobody has the token of their hook. */

/** The type of their messages; the data is an {@link OrStart}. */
export const HOOK_RECEIVED_OR_START = "hook_received_or_start";

/** The `name` of the events that they become, with the same data. */
export const OR_START = "or_start";

/** A payload with what is started for it if no run has the token. */
export interface OrStart {
  /** Encoded. */
  readonly payload: Uint8Array | null;
  /** See `interpreter/new-run.ts`. */
  readonly start: unknown;
}
