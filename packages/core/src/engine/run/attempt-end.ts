import type { Heard } from "../../interpreter/kinds/kind.ts";
import { applyRetry, beganAt } from "../../interpreter/kinds/step.ts";
import { judgeFailure } from "../steps/step-outcome.ts";
import type { AttemptEnded, Incoming } from "./inbox.ts";
import type { Outbox } from "./outbox.ts";
import type { TurnOptions } from "./turn-options.ts";

/** What decides over the end of an attempt. */
export type AttemptParts = Pick<TurnOptions, "execution" | "steps" | "cancel" | "random"> & {
  readonly outbox: Outbox;
  readonly receive: (incoming: Incoming) => void;
};

/** The event that the code gets when an attempt has ended; `null` if it does not wait for the step, or another attempt comes. */
export function endOfAttempt(ended: AttemptEnded, parts: AttemptParts, now: number): Heard | null {
  const { attempt, result } = ended;
  const { execution, steps, cancel, random, outbox } = parts;
  const { step } = attempt;
  const { id } = step;
  const name = beganAt(attempt.startedAt);
  if (execution.pending.get(id) !== step || step.attempt !== attempt.attempt) return null;
  if (result.type === "completed") {
    const { value: data, known } = result;
    return { type: "step_completed", id, name, data, known };
  }
  const verdict =
    ended.verdict ??
    cancel.judge(attempt, result, judgeFailure(step, result, attempt.startedAt, now, random));
  if (verdict.type === "fail") {
    const isNew = ended.verdict === undefined;
    if (isNew && steps.fences.raise(step, () => parts.receive({ ...ended, verdict }))) return null;
    return { type: "step_failed", id, name, data: verdict.error };
  }
  outbox.retry(id, name, verdict.record, now);
  applyRetry(step, verdict.record);
  steps.await(step);
  return null;
}
