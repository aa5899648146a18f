import { type Chunks, type WorkflowWritableStreamOptions, writableOptions } from "./api/stream-options.ts";
import { currentContext, currentExecution } from "./context.ts";
import { contexts } from "./contexts.ts";
import type { Duration } from "./duration.ts";
import { ContextError, FatalError } from "./errors/index.ts";
import { checkAttributes, SET_ATTRIBUTES, setAttributesIn } from "./interpreter/kinds/attributes.ts";
import { giveUpWaits } from "./interpreter/kinds/lock.ts";
import { setStateIn } from "./interpreter/kinds/state.ts";
import { sleepIn } from "./interpreter/kinds/wait.ts";
import { workflowMetadata } from "./interpreter/workflow-metadata.ts";
import type { StepMetadata, WorkflowMetadata } from "./metadata.ts";
import { checkOptionNames, type OptionNames } from "./option-names.ts";
import { encode, storable } from "./serialization/index.ts";
import { WorkflowWritableStream } from "./streams/writable.ts";

/** What workflow functions and steps call. */

const SET_ATTRIBUTES_OPTIONS: OptionNames<SetAttributesOptions> = { allowReservedAttributes: true };

/**
 * Waits durably: the run uses no memory and no timer while it sleeps, and wakes up in whatever process is there.
 *
 * @param duration milliseconds, a text such as `"3 days"`, or the time at which to go on
 * @throws {ContextError} outside a workflow, `TypeError` for something that is no duration
 */
export function sleep(duration: Duration): Promise<void> {
  return sleepIn(currentExecution("sleep()"), duration);
}

/**
 * Ends this execution of the workflow and begins it again with other arguments, in the same run: id, start key, attributes,
 * state, hooks and what was sent to them stay; the journal begins anew, so it does not grow for ever. A `createHook` with the
 * token of a hook that the run has gives that hook. The function ends where it stands: no `finally` block of it runs.
 *
 * @throws {ContextError} outside a workflow, {@link SerializationError} for an argument that cannot be stored
 * @example
 * ```ts
 * const follow = workflow("follow", async (page: number): Promise<void> => {
 *   await sleep("1 minute");
 *   if (page % 100 === 0) return await continueAsNew([page + 1]);
 * });
 * ```
 */
export function continueAsNew(args: readonly unknown[] = []): Promise<never> {
  const execution = currentExecution("continueAsNew()");
  if (!Array.isArray(args))
    throw new TypeError(`continueAsNew(): args must be an array, got ${typeof args}.`);
  giveUpWaits(execution);
  giveUpWaits(execution);
  execution.continueAs(storable(encode([...args], "args"), "args", execution.largestValue));
  return new Promise(() => {});
}

/**
 * The step that is being executed: `stepId` is the idempotency key for whatever it calls.
 *
 * @throws {ContextError} outside a step
 */
export function getStepMetadata(): StepMetadata {
  const context = currentContext();
  if (context?.kind !== "step") throw new ContextError("getStepMetadata()", "a step");
  return context.step;
}

/**
 * The run that is being executed; in workflows and in their steps.
 *
 * @throws {ContextError} anywhere else
 */
export function getWorkflowMetadata(): WorkflowMetadata {
  const context = currentContext();
  if (context === undefined) throw new ContextError("getWorkflowMetadata()", "a workflow or a step");
  return context.kind === "step" ? context.workflow : workflowMetadata(context.execution);
}

/**
 * Sets what the run shows of itself: `run.getState()` reads it from outside without waking the run. Durable with whatever the
 * workflow does next.
 *
 * @throws {ContextError} outside a workflow, {@link SerializationError} for a value that cannot be stored
 * @example
 * ```ts
 * setState({ done: 3, of: 10 });
 * ```
 */
export function setState(value: unknown): void {
  setStateIn(currentExecution("setState()"), value);
}

/** Options of {@link setAttributes}. */
export interface SetAttributesOptions {
  /** Names that begin with `$` are perdure's own, so only `false`, the default, is taken. */
  readonly allowReservedAttributes?: false;
}

/**
 * Sets attributes of the run, by which `listRuns` finds it; `undefined` takes one away. At most 64 of them, names and values of
 * at most 256 characters; names that begin with `$` are perdure's own. In a step they are durable when it resolves, and the
 * workflow sees them soon after.
 *
 * @throws {ContextError} outside a workflow and its steps
 * @throws {FatalError} for what cannot be an attribute: another attempt of the step would meet the same
 * @example
 * ```ts
 * await setAttributes({ customer: "cus_1", stage: "charged" });
 * ```
 */
export async function setAttributes(
  attributes: Readonly<Record<string, string | undefined>>,
  options: SetAttributesOptions = {},
): Promise<void> {
  checkOptionNames("setAttributes()", options, SET_ATTRIBUTES_OPTIONS);
  if ((options.allowReservedAttributes as unknown) === true) {
    throw new TypeError(
      "setAttributes({ allowReservedAttributes }): names that begin with $ are perdure's own. Choose other names.",
    );
  }
  const context = currentContext();
  if (context === undefined) throw new ContextError("setAttributes()", "a workflow or a step");
  const changes = orFatal(() => checkAttributes(attributes, "setAttributes()"));
  if (context.kind === "workflow") orFatal(() => setAttributesIn(context.execution, changes));
  else
    await context.store.send(context.workflow.workflowRunId, SET_ATTRIBUTES, encode(changes, "attributes"));
}

/** What is refused now will be refused again. */
function orFatal<T>(check: () => T): T {
  try {
    return check();
  } catch (error) {
    if (error instanceof TypeError) throw new FatalError(error.message, { cause: error });
    throw error;
  }
}

/**
 * The stream of the run that is being executed, or one of its namespaces: what is written to it, `run.getReadable()` reads, live and
 * later. In a workflow it is a value that is passed to steps; only they write. When a step has completed, all that it wrote is
 * stored; a stream that it closed ends with its success.
 *
 * @throws {ContextError} outside a workflow and its steps
 * @example
 * ```ts
 * const tell = step("tell", async (text: string) => {
 *   const writer = getWritable<string>().getWriter();
 *   await writer.write(text);
 *   writer.releaseLock();
 * });
 * ```
 */
export function getWritable<W = Chunks>(options: WorkflowWritableStreamOptions = {}): WritableStream<W> {
  const context = currentContext();
  if (context === undefined) throw new ContextError("getWritable()", "a workflow or a step");
  const name = writableOptions(options);
  const runId = context.kind === "step" ? context.workflow.workflowRunId : context.execution.runId;
  return new WorkflowWritableStream<W>({ runId, name }, null);
}

/**
 * Calls a function that a cancel of the run does not interrupt: what it waits for goes on, and the code after it gets the cancel
 * at its next wait. For clean-up of several steps, in a `finally` block or not.
 *
 * @throws {ContextError} outside a workflow; what the function throws
 * @example
 * ```ts
 * try {
 *   await sleep("1 day");
 * } finally {
 *   await shield(async () => {
 *     setState("cleaning up");
 *     await sleep("1 minute");
 *   });
 * }
 * ```
 */
export async function shield<T>(fn: () => Promise<T>): Promise<T> {
  const context = currentContext();
  if (context?.kind !== "workflow") throw new ContextError("shield()", "a workflow");
  return await contexts.run({ ...context, shielded: true }, fn);
}
