import { keyOfArgs, workflowOptions } from "../define/workflow-options.ts";
import type { NewRun } from "./new-run.ts";

/** The `singleton` of a workflow: a name that a run has until its end. */

/** The attribute with a run's singleton key. */
export const SINGLETON = "$singleton";

/** Why a run is cancelled in whose place another one comes. */
export const REPLACED = "a newer start of the workflow took its place (singleton: mode cancel)";

/** What a start asks for on account of the workflow's options. */
export function singletonFor(workflow: string, args: readonly unknown[]): NewRun["singleton"] {
  const { singleton } = workflowOptions(workflow);
  if (singleton === undefined) return undefined;
  const key = keyOfArgs(`Workflow ${workflow}: singleton`, singleton.key, args);
  return { key, mode: singleton.mode ?? "skip" };
}
