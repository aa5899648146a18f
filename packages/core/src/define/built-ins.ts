import { hash } from "node:crypto";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { type AsyncFunction, registry, stepReferenceOf, workflowFunction } from "./registry.ts";

/**
 * Workflows of perdure's own. Programs cannot define one under their ids: the beginnings `$perdure` and `step:` are kept for them.
 */

/** Ends at once. Its runs take the key of another run over, so that it is free with their end. */
export const RELEASE_KEY = "$perdure/release_key";

const [OWN, ONE_STEP] = ["$perdure", "step:"];
/** Ids of steps up to this length are in the id of their workflow as they are, so that it fits wherever ids are stored. */
const LONGEST = 200;

/**
 * The workflow that calls one step. Its id is the queue of its runs, which is served by workers whose process has the step.
 */
export function workflowOfStep(stepId: string): string {
  if (stepId.length <= LONGEST) return `${ONE_STEP}${stepId}`;
  return `${ONE_STEP}${stepId.slice(0, LONGEST)}#${hash("sha256", JSON.stringify(stepId), "base64url")}`;
}

/** The workflows of all steps of this process. */
export function workflowsOfSteps(): readonly string[] {
  return [...registry.stepFunctions.keys()].map(workflowOfStep);
}

/** Whether a workflow calls one step. */
export function callsOneStep(workflow: string): boolean {
  return workflow.startsWith(ONE_STEP);
}

/** Whether this process can execute a workflow of perdure's own. */
export function hasBuiltIn(workflow: string): boolean {
  return workflow === RELEASE_KEY || (callsOneStep(workflow) && workflowsOfSteps().includes(workflow));
}

/** The function of a workflow, of a program's or of perdure's own, if this process has it. */
export function functionOf(workflow: string): AsyncFunction | undefined {
  if (!hasBuiltIn(workflow)) return workflowFunction(workflow);
  return workflow === RELEASE_KEY ? endAtOnce : callOneStep;
}

async function endAtOnce(): Promise<void> {}

async function callOneStep(stepId: string, ...args: unknown[]): Promise<unknown> {
  return await registry.stepFunctions.get(stepId)?.(...args);
}

/** @throws {TypeError} for the id of a workflow that is kept for perdure */
export function checkNotReserved(id: string): void {
  const reserved = [OWN, ONE_STEP].find((beginning) => id.startsWith(beginning));
  if (reserved === undefined) return;
  throw new TypeError(
    `workflow(id, fn): ids that begin with ${JSON.stringify(reserved)} are perdure's own, got ${JSON.stringify(id)}. Choose another id.`,
  );
}

/**
 * The id of a step that was passed to `what`, which any process that has it can call.
 *
 * @throws {WorkflowRuntimeError} for a function that is no step, or one that is made anew by another function
 */
export function stepIdOf(fn: unknown, what: string): string {
  const reference = stepReferenceOf(fn);
  if (reference !== undefined && registry.stepFunctions.has(reference.id)) {
    if (reference.captured === undefined && !reference.inContext) return reference.id;
    throw new WorkflowRuntimeError(
      `${what} was given the step "${reference.id}", which stands in another function and uses what is around it: other ` +
        "processes cannot call it. Define it at the top of a module, and pass what it needs as arguments.",
    );
  }
  const name = typeof fn === "function" ? `the function "${fn.name}"` : typeof fn;
  throw new WorkflowRuntimeError(
    `${what} was given ${name}, which is not a step. Begin the function with "use step" and let the compiler see its file ` +
      "(node --import perdure/register), or make it one with step(id, fn).",
  );
}
