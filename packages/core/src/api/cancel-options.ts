import { checkOptionNames } from "../option-names.ts";

/** What `run.cancel()` takes. */

/** Options of {@link Run.cancel}. */
export interface CancelOptions {
  /** Why; part of the `WorkflowRunCancelledError` that the workflow and those who wait for it see. */
  readonly reason?: string;
  /** The Workflow SDK's name for {@link reason}. */
  readonly cancelReason?: string;
  /**
   * `"graceful"`: the code hears of it, and its `finally` blocks run. `"terminate"`: the run ends at once without its code, also
   * one that no worker would execute; it resolves when the run has ended. Default `"graceful"`.
   */
  readonly mode?: "graceful" | "terminate";
}

/** Reads what was passed to `cancel`. Throws a `TypeError` for what cannot be meant. */
export function cancelOptions(options: CancelOptions): {
  readonly reason: string | undefined;
  readonly mode: "graceful" | "terminate";
} {
  checkOptionNames<CancelOptions>("cancel()", options, { reason: true, cancelReason: true, mode: true });
  const { cancelReason, reason = cancelReason, mode = "graceful" } = options;
  if (cancelReason !== undefined && cancelReason !== reason) {
    throw new TypeError("cancel(): reason and cancelReason are one option by two names; pass one of them.");
  }
  if (mode !== "graceful" && mode !== "terminate") {
    throw new TypeError(`cancel({ mode }): must be "graceful" or "terminate", got ${JSON.stringify(mode)}.`);
  }
  return { reason, mode };
}
