import { sharedState } from "../shared-state.ts";

/** The workflows that this process can execute. Workers claim only runs of these. */

// biome-ignore lint/suspicious/noExplicitAny: the parameter list of "any async function"; `unknown[]` would refuse typed ones.
export type AsyncFunction = (...args: any[]) => Promise<any>;

/** What a module registered under a workflow id. */
export interface Registry {
  readonly workflows: Map<string, AsyncFunction>;
  /** Called when a workflow is registered, so that running workers look for its runs. */
  readonly listeners: Set<(workflow: string) => void>;
}

const WORKFLOW_ID = Symbol.for("perdure.workflow-id");

/** Registers a workflow. The last registration of an id wins, so that a reloaded module replaces the old code. */
export function registerWorkflow(id: string, fn: AsyncFunction): void {
  const { workflows, listeners } = sharedState().registry;
  Object.defineProperty(fn, WORKFLOW_ID, { value: id, configurable: true });
  workflows.set(id, fn);
  for (const listener of listeners) listener(id);
}

/** The id under which a function was registered, or `undefined` for a function that is no workflow. */
export function workflowIdOf(fn: unknown): string | undefined {
  return typeof fn === "function" ? (fn as { [WORKFLOW_ID]?: string })[WORKFLOW_ID] : undefined;
}

/** The function of a workflow id, if this process has it. */
export function workflowFunction(id: string): AsyncFunction | undefined {
  return sharedState().registry.workflows.get(id);
}
