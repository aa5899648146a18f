import { systemClock, systemRandom } from "../clock.ts";
import { type Context, currentContext } from "../context.ts";
import { contexts } from "../contexts.ts";
import { stepReferenceOf } from "../define/registry.ts";
import type { AttemptResult } from "../engine/steps/attempt.ts";
import { StepRunner } from "../engine/steps/step-runner.ts";
import { storeCalls } from "../engine/system-steps/store-calls.ts";
import { systemIds } from "../ids.ts";
import { Execution } from "../interpreter/execution.ts";
import { signalsOf } from "../interpreter/kinds/signal.ts";
import { isStep } from "../interpreter/kinds/step.ts";
import { sleepIn } from "../interpreter/kinds/wait.ts";
import { createRunRequest } from "../interpreter/new-run.ts";
import { workflowMetadata } from "../interpreter/workflow-metadata.ts";
import { silentLogger } from "../logger.ts";
import { checkOptionNames } from "../option-names.ts";
import { decode, encode, largestValue } from "../serialization/index.ts";
import { memoryWorld } from "./memory-world.ts";

/** One attempt of a step without its workflow, for tests of the step. */

/** Options of {@link runStep}. */
export interface RunStepOptions {
  /** What the step sees as its `stepId`. Default: as in the first run of a workflow, another one at each call. */
  readonly stepId?: string;
  /** Which attempt it is, from 1. Default 1. */
  readonly attempt?: number;
}

/** The workflow that the step sees as its own. */
const WORKFLOW = "runStep";

/**
 * Executes one attempt of a step as a worker does, on a World in memory that is gone with the call: arguments and result cross by
 * value, and the step finds what it finds in a workflow: `getStepMetadata()` with the `signal`, `getWorkflowMetadata()`, `getWritable()`,
 * `setAttributes()`, its `timeout`. Nothing is tried again. Of what it starts or writes, nobody reads anything; to see that, start a
 * workflow that calls it.
 *
 * @param step a function marked `"use step"` or made with `step(id, fn)`
 * @param args its arguments; an `AbortSignal` among them aborts the step's
 * @throws what the step threw; a `FatalError` if it ended because it was aborted, as the workflow gets it
 * @throws {SerializationError} for an argument or a result that cannot be stored
 * @example
 * ```ts
 * const charge = await runStep(createCharge, ["cus_1"], { stepId: "step_1", attempt: 2 });
 * ```
 */
export async function runStep<Args extends unknown[], Result>(
  step: (...args: Args) => Result,
  args: Args,
  options: RunStepOptions = {},
): Promise<Awaited<Result>> {
  checkOptionNames<RunStepOptions>("runStep()", options, { stepId: true, attempt: true });
  const { stepId, attempt = 1 } = options;
  if (stepId !== undefined && (typeof stepId !== "string" || stepId === "")) {
    throw new TypeError(`runStep({ stepId }): must be a text, got ${String(stepId)}.`);
  }
  if (!Number.isInteger(attempt) || attempt < 1) {
    throw new TypeError(`runStep({ attempt }): must be 1, 2, 3 …, got ${String(attempt)}.`);
  }
  if (stepReferenceOf(step) === undefined) {
    const what = typeof step === "function" ? `the function "${step.name}"` : String(step);
    throw new TypeError(
      `runStep() was given ${what}, which is no step. Begin the function with "use step" and let the compiler see its file ` +
        "(the plugin of perdure/vite in Vitest), or make it one with step(id, fn).",
    );
  }
  if (currentContext() !== undefined)
    throw new TypeError("runStep() is for tests: call the step itself here.");

  const [world, clock, ids] = [memoryWorld(), systemClock, systemIds()];
  const at = clock.now();
  const run = { runId: ids.runId(at), workflow: WORKFLOW, args: encode([], "args"), attributes: {} };
  await world.createRuns(
    [createRunRequest({ ...run, key: null, hookToken: null }, { at, lease: null, headers: {}, mail: [] })],
    at,
  );
  const execution = new Execution({
    runId: run.runId,
    workflow: WORKFLOW,
    generation: 0,
    fn: () => new Promise(() => {}),
    input: run.args,
    largestValue: largestValue(world),
    encrypted: false,
    clock: () => clock.now(),
    newToken: () => ids.token(),
    admission: () => null,
    enter: (of, call) =>
      contexts.run({ kind: "workflow", execution: of, signals: signalsOf(of) } satisfies Context, call),
    sleep: sleepIn,
    onActivity: () => {},
    onStray: () => {},
  });
  execution.begin(at);
  execution.enter(() => Promise.resolve(step(...args)).catch(() => {}));
  const asked = [...execution.pending.values()].find(isStep);
  if (asked === undefined) throw new TypeError("runStep(): the function asked for no step.");
  const runner = new StepRunner({
    world,
    clock,
    logger: silentLogger,
    concurrency: 1,
    maxDetached: 1,
    store: storeCalls({ world, clock, ids, logger: silentLogger, random: systemRandom }),
    onRoom: () => {},
  });
  const result = await new Promise<AttemptResult>((resolve) => {
    runner.start(
      { ...asked, id: stepId ?? asked.id, attempt },
      {
        runId: run.runId,
        workflow: WORKFLOW,
        signals: signalsOf(execution),
        largestValue: execution.largestValue,
        headers: {},
        attributes: {},
        metadata: (attributes) => workflowMetadata(execution, attributes),
        mayBegin: () => true,
        postpone: () => {},
        onEnd: (_attempt, ended) => resolve(ended),
      },
      new Map(),
    );
  });
  execution.drop();
  if (result.type === "failed") throw result.error;
  return decode(result.value) as Awaited<Result>;
}
