import type { Execution } from "../../interpreter/execution.ts";
import type { MailCursor } from "./mail-cursor.ts";
import type { RunCancel } from "./run-cancel.ts";
import type { RunSteps } from "./run-steps.ts";

/** The parts of a run that its turn works with. */
export interface TurnOptions {
  readonly execution: Execution;
  readonly steps: RunSteps;
  readonly mail: MailCursor;
  readonly cancel: RunCancel;
  readonly random: () => number;
  /**
   * Whether an event is told when it is durable, and not before. For a run whose last owner was lost: if the code that hears
   * it is what ends its workers, the step before it is not executed again and again.
   */
  readonly cautious: () => boolean;
}
