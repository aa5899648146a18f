import type { Clock } from "../clock.ts";
import { guardedExecution } from "../context.ts";
import { installGuard } from "../determinism/index.ts";
import { newExecution, replayJournal } from "../engine/claims/loader.ts";
import { decodeError } from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";

/** How a replay of a whole journal ended. */
export interface ColdReplay {
  /** `open`: the function has not ended, or it has and asked for something beyond the journal. */
  readonly outcome: "returned" | "threw" | "continued" | "cancelled" | "open";
  /** The encoded return value, or the arguments with which it continues as new; `null` if it did neither. */
  readonly output: Uint8Array | null;
  readonly error: unknown;
  /** What the code asked for beyond the end of the journal, such as `step_created "charge"`. */
  readonly unmatched: readonly string[];
}

/**
 * Runs a workflow against the journal of a generation as a worker does after a crash, without a store and without executing steps.
 *
 * @throws {ReplayDivergenceError} if code and journal disagree
 */
export async function coldReplay(
  run: { readonly runId: string; readonly workflow: string; readonly generation?: number },
  journal: readonly JournalEvent[],
  clock: Clock,
): Promise<ColdReplay> {
  const execution = newExecution({
    generation: 0,
    ...run,
    events: journal,
    largestValue: Number.POSITIVE_INFINITY,
    clock: () => clock.now(),
    newToken: () => "not in the journal",
    onActivity: () => {},
    onStray: () => {},
  });
  const removeGuard = installGuard(guardedExecution);
  try {
    await replayJournal(execution, journal, { clock, strict: true, onDifference: () => {} });
  } finally {
    removeGuard();
  }
  const { outcome } = execution;
  const unmatched = execution.requests.map(({ type, name }) => `${type} ${JSON.stringify(name)}`);
  execution.drop();
  return {
    outcome: outcome === null || unmatched.length > 0 ? "open" : outcome.type,
    output:
      outcome?.type === "returned" ? outcome.output : outcome?.type === "continued" ? outcome.args : null,
    error: outcome?.type === "threw" ? decodeError(outcome.error) : undefined,
    unmatched,
  };
}
