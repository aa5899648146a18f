import type { Run } from "./api/run.ts";
import { clientHere } from "./api/runtime.ts";
import { checkChoice, checkKey, freeFromTtl, keyFrom, type StartRequest } from "./api/start-request.ts";
import { currentContext } from "./context.ts";
import { stepIdOf, workflowOfStep } from "./define/built-ins.ts";
import type { AsyncFunction } from "./define/registry.ts";
import type { Duration } from "./duration.ts";
import { WorkflowRunFailedError } from "./errors/index.ts";
import { checkOptionNames } from "./option-names.ts";
import { encode, fingerprint, whenRead } from "./serialization/index.ts";
import { onceInStep } from "./step-runs.ts";
import { onceInWorkflow } from "./workflow-runs.ts";

/** `once`: one execution of a step for a key, over all runs and machines. */

/** What {@link once} goes by, where a key alone does not say it. */
export interface OnceOptions {
  /** 1 to 255 characters. Each step has keys of its own. */
  readonly key: string;
  /** How long what was executed counts, from its start on. Default: as long as its run is stored. */
  readonly ttl?: Duration;
  /**
   * What follows on a failure: `"retry"` lets the next caller execute the step again, under the same `stepId`; `"keep"` gives the error
   * to every caller. Default `"retry"`.
   */
  readonly onError?: "retry" | "keep";
}

/** The type of {@link once}. */
export interface Once {
  <Args extends unknown[], Result>(
    key: string | OnceOptions,
    step: (...args: Args) => Promise<Result>,
    ...args: Args
  ): Promise<Result>;
  /** As `once`, and gives the run that executes the step, or has executed it, in place of its result. */
  run<Args extends unknown[], Result>(
    key: string | OnceOptions,
    step: (...args: Args) => Promise<Result>,
    ...args: Args
  ): Promise<Run<Result>>;
}

/**
 * Executes a step once for a key, whoever calls it, and gives all callers its result, or its error: in workflows, in steps and in
 * programs. The first caller has it executed, by a run of its own that no caller's end or cancel touches; the others wait for
 * that run, without a slot and without a lease, and later ones get what was recorded. It is executed by a worker whose process has the
 * step, with the step's options.
 *
 * @throws what the step threw; {@link IdempotencyMismatchError} if the key was used with other arguments;
 *   {@link WorkflowRuntimeError} for a function that is no step, and within the step that the key executes
 * @example
 * ```ts
 * const charge = await once(`order:${orderId}`, createCharge, orderId);
 * await once({ key: `order:${orderId}`, ttl: "30 days", onError: "keep" }, ship, order);
 * ```
 */
export const once: Once = Object.assign(
  async <Args extends unknown[], Result>(
    key: string | OnceOptions,
    step: (...args: Args) => Promise<Result>,
    ...args: Args
  ): Promise<Result> => {
    const run = await runOf<Result>(key, step, args);
    try {
      return await run.returnValue;
    } catch (error) {
      throw WorkflowRunFailedError.is(error) ? error.cause : error;
    }
  },
  {
    run: <Args extends unknown[], Result>(
      key: string | OnceOptions,
      step: (...args: Args) => Promise<Result>,
      ...args: Args
    ): Promise<Run<Result>> => runOf<Result>(key, step, args),
  },
);

async function runOf<Result>(
  key: string | OnceOptions,
  step: AsyncFunction,
  args: unknown[],
): Promise<Run<Result>> {
  const options: OnceOptions = typeof key === "string" ? { key } : { ...key };
  const stepId = stepIdOf(step, "once()");
  const passed = [stepId, ...args];
  const context = currentContext();
  if (context?.kind === "workflow") {
    return await whenRead(() =>
      onceInWorkflow<Result>(context.execution, onceRequest(options, stepId, passed)),
    );
  }
  if (context?.kind === "step") {
    return await whenRead(() => onceInStep<Result>(context, onceRequest(options, stepId, passed)));
  }
  const client = clientHere("once()");
  return await whenRead(() => client.begin<Result>(onceRequest(options, stepId, passed)));
}

/** `passed`: the step's id and its arguments. */
function onceRequest(options: OnceOptions, stepId: string, passed: readonly unknown[]): StartRequest {
  checkOptionNames<OnceOptions>("once()", options, { key: true, ttl: true, onError: true });
  const { key, ttl, onError = "retry" } = options;
  if (key === undefined) throw new TypeError("once(): a key is needed, got none.");
  checkKey(key, "once(): key");
  checkChoice("once(): onError", onError, ["retry", "keep"]);
  const workflow = workflowOfStep(stepId);
  const encoded = encode(passed, "args");
  return {
    workflow,
    args: encoded,
    attributes: {},
    hookToken: null,
    keyAt: keyFrom(key, freeFromTtl(ttl, "once({ ttl })"), fingerprint(workflow, encoded)),
    terms: { onConflict: "return", ...(onError === "retry" && { failedRuns: "retry" }) },
  };
}
