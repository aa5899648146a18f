import { checkNotReserved } from "./built-ins.ts";
import { type AsyncFunction, registerWorkflow } from "./registry.ts";
import { checkWorkflowOptions, type WorkflowOptions } from "./workflow-options.ts";

/**
 * Makes an async function a workflow: what the `"use workflow"` directive compiles to.
 *
 * The function itself is returned, registered under the id. Called directly it runs as ordinary code; `start()` runs it
 * durably. It must be deterministic: everything with a side effect belongs in a step.
 *
 * The run ends when the function returns or throws, whatever it still had under way: the signals of steps in flight are
 * aborted, their results and retries are discarded, and steps that had not begun never begin. Await what must happen.
 * A promise of the workflow that is rejected and that nobody awaits is a warning in the worker's log, and no more.
 *
 * @param options how many runs there are at a time; also settable as properties: `charge.concurrency = { limit: 5 }`
 * @param id Unique in the program and stable over deploys: runs that are under way are found by it. Ids that begin with
 *   `$perdure` or `step:` are perdure's own.
 * @throws {WorkflowRuntimeError} if another function has the id, with both places. A module that is loaded again, as it was
 *   or edited, replaces its workflows.
 * @example
 * ```ts
 * const charge = workflow("charge", async (customer: string) => {
 *   return await createCharge(customer);
 * });
 * ```
 */
export function workflow<F extends AsyncFunction>(
  id: string,
  fn: F,
  options: WorkflowOptions<Parameters<F>> = {},
): F & WorkflowOptions<Parameters<F>> {
  if (typeof id !== "string" || id === "" || id.length > 255) {
    throw new TypeError(
      `workflow(id, fn): the id must be a string of 1 to 255 characters, got ${String(id)}.`,
    );
  }
  if (typeof fn !== "function") {
    throw new TypeError(
      `workflow(${JSON.stringify(id)}, fn): fn must be an async function, got ${typeof fn}.`,
    );
  }
  checkNotReserved(id);
  checkWorkflowOptions(id, options);
  registerWorkflow(id, fn, workflow);
  return Object.assign(fn, options);
}
