import { getWorkflowMetadata, step, workflow } from "@perdure/core";
import { limitedWorkflows } from "./kinds/concurrency.ts";
import { nodeKindOf } from "./kinds/index.ts";
import type { Arguments, Scope, Value } from "./kinds/kind.ts";

/** The workflows of simulated programs: all of them interpret the program that they are started with. */

/** The step that only the bad version has. */
export const UNPLANNED = "sim//unplanned";

const unplanned = step(UNPLANNED, async (): Promise<void> => {});

let badSince: number | null = null;

/** From now on, runs that began before `since` do not follow their journals when they are replayed; `null`: they do again. */
export function deployBadVersion(since: number | null): void {
  badSince = since;
}

export const simulated: (...args: Arguments) => Promise<Value> = workflow(
  "sim//program",
  async (...args: Arguments): Promise<Value> => {
    const { workflowStartedAt } = getWorkflowMetadata();
    if (badSince !== null && workflowStartedAt.getTime() < badSince) await unplanned();
    return await interpret(...args);
  },
);

async function interpret(...[name, root, others]: Arguments): Promise<Value> {
  const scope: Scope = {
    name,
    floating: [],
    others,
    workflow: simulated,
    execute: (node) => nodeKindOf(node).execute(node, scope),
  };
  return await scope.execute(root);
}

/** Those of which not any number of runs is executed at a time. They have no bad version: their code may begin long after their runs. */
export const limited: ReturnType<typeof limitedWorkflows> = limitedWorkflows(interpret);

/** One that no worker of the cluster executes. */
export const abandoned: () => Promise<void> = workflow("sim//abandoned", async (): Promise<void> => {});
