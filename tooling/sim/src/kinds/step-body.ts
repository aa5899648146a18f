import { FatalError, getStepMetadata, getWorkflowMetadata, RetryableError, step } from "@perdure/core";
import { WorkflowRunCancelledError } from "@perdure/core/errors";
import { currentProcess, pause } from "@perdure/simulator/cluster";
import { isPlanted } from "../planted.ts";
import type { StepKind, StepSpec } from "../program.ts";

/** The few steps that all simulated programs are made of, and what their bodies do. */

/** What a body tells the simulation that executes it. */
export interface BodyObserver {
  started(runId: string, stepId: string, attempt: number, spec: StepSpec): void;
  /** Its signal was aborted by a cancel of the run. */
  cancelled(runId: string, stepId: string): void;
  /** The body of a step that is called at most once does what it is for. */
  happens(runId: string, stepId: string, attempt: number): void;
  /** Whether the other side knows of it. */
  asked(runId: string, stepId: string, attempt: number): boolean;
}

let observer: BodyObserver | null = null;

/** Sets who is told of step bodies. One simulation at a time. */
export function observeBodies(next: BodyObserver | null): void {
  observer = next;
}

/** Programs whose steps are mended, by the beginnings of their keys. */
const mended: Set<string> = new Set();

/** From now on, steps of this program do not fail any more that can be mended; `null`: all do again. */
export function mend(program: string | null): void {
  if (program === null) mended.clear();
  else mended.add(program);
}

export async function body(spec: StepSpec): Promise<string> {
  const { stepId, attempt, signal } = getStepMetadata();
  const process = currentProcess();
  if (process === undefined) throw new Error("a body runs in a process");
  const { workflowRunId } = getWorkflowMetadata();
  observer?.started(workflowRunId, stepId, attempt, spec);
  if (spec.ms > 0) await pause(process, spec.ms);
  if (signal.aborted && WorkflowRunCancelledError.is(signal.reason))
    observer?.cancelled(workflowRunId, stepId);
  if (spec.kind === "asked" || spec.kind === "blind") {
    observer?.happens(workflowRunId, stepId, attempt);
    if (spec.ms > 0) await pause(process, spec.ms);
  }
  if (attempt <= spec.failures) {
    if (spec.how === "hang") await aborted(signal);
    if (spec.how === "later") throw new RetryableError(`${spec.key} later`, { retryAfter: 700 });
    throw new Error(`${spec.key} failed`);
  }
  const isMended = spec.end === "mended" && mended.has(spec.key.split("/")[0] ?? "");
  if (spec.end === "fatal" || (spec.end === "mended" && !isMended))
    throw new FatalError(`${spec.key} is fatal`);
  return spec.key;
}

/** What the other side knows of a step. */
async function reconcile(stepId: string, args: StepSpec[]): Promise<string | undefined> {
  const process = currentProcess();
  const [spec] = args;
  if (process === undefined || spec === undefined) throw new Error("it is asked in a process");
  if (isPlanted("answer-unheard")) return undefined;
  const { attempt } = getStepMetadata();
  const happened = observer?.asked(getWorkflowMetadata().workflowRunId, stepId, attempt) === true;
  if (spec.ms > 0) await pause(process, spec.ms);
  return happened ? spec.key : undefined;
}

/** Rejects when the signal is aborted. */
function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    else signal.addEventListener("abort", () => reject(signal.reason), { once: true });
  });
}

/** The options of steps that are tried until they succeed. */
export const PATIENT: { readonly maxRetries: number; readonly backoff: { initial: number; max: number } } = {
  maxRetries: 1000,
  backoff: { initial: 50, max: 1000 },
};

export const steps: Readonly<Record<StepKind, (spec: StepSpec) => Promise<string>>> = {
  patient: step("sim//patient", body, PATIENT),
  default: step("sim//default", body),
  once: step("sim//once", body, { maxRetries: 0 }),
  timed: step("sim//timed", body, { timeout: 3000, maxRetries: 5, backoff: () => 100 }),
  asked: step("sim//asked", body, { semantics: "at-most-once", reconcile }),
  blind: step("sim//blind", body, { semantics: "at-most-once" }),
  shared: step("sim//shared", body, PATIENT),
};
