import { type Clock, systemClock } from "../clock.ts";
import { guardedExecution } from "../context.ts";
import { installGuard } from "../determinism/index.ts";
import { refuseSealed } from "../encryption/sealed-bytes.ts";
import type { RequestDifference } from "../interpreter/replay.ts";
import { decodeError } from "../serialization/index.ts";
import type { JournalEvent } from "../world/index.ts";
import { newExecution, replayJournal } from "./claims/loader.ts";

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

/** How exactly it looks. */
export interface ColdReplayOptions {
  /** Whether other arguments of a step, or other metadata of a hook, are a divergence, as with a worker's `strictReplay`. Default true. */
  readonly strict?: boolean;
  /** Called for each of them otherwise. */
  readonly onDifference?: (difference: RequestDifference) => void;
}

/**
 * Runs a workflow against the journal of a generation as a worker does after a crash, without a store and without executing steps.
 *
 * @throws {ReplayDivergenceError} if code and journal disagree, {@link EncryptionError} for a journal that is still encrypted
 */
export async function coldReplay(
  run: { readonly runId: string; readonly workflow: string; readonly generation?: number },
  journal: readonly JournalEvent[],
  clock: Clock = systemClock,
  { strict = true, onDifference = () => {} }: ColdReplayOptions = {},
): Promise<ColdReplay> {
  refuseSealed(journal);
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
    await replayJournal(execution, journal, { clock, strict, onDifference });
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
