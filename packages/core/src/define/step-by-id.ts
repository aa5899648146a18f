import { StepNotRegisteredError } from "../errors/index.ts";
import { type AsyncFunction, registry } from "./registry.ts";
import { stepFunction } from "./step-function.ts";

/** Steps that are called by their id, as code does which the Workflow SDK's compiler has written. */

const USE_STEP = Symbol.for("WORKFLOW_USE_STEP");

/** The step of an id. One that this process does not have fails without another attempt where a workflow calls it. */
function stepById(id: string): AsyncFunction {
  const missing = async (): Promise<never> => {
    throw new StepNotRegisteredError(id);
  };
  return registry.stepFunctions.get(id) ?? stepFunction(id, missing, { maxRetries: 0 });
}

/** Lets code call steps by their id under the global name that the Workflow SDK has for it. */
export function installStepById(): void {
  Object.defineProperty(globalThis, USE_STEP, { value: stepById, writable: true, configurable: true });
}
