import { getWorkflowMetadata, step, workflow } from "@perdure/core";
import { nodeKindOf } from "./kinds/index.ts";
import type { Arguments, Scope, Value } from "./kinds/kind.ts";

/** The one workflow of all simulated programs. */

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
  async (...[name, root, others]: Arguments): Promise<Value> => {
    const { workflowStartedAt } = getWorkflowMetadata();
    if (badSince !== null && workflowStartedAt.getTime() < badSince) await unplanned();
    const scope: Scope = {
      name,
      floating: [],
      others,
      workflow: simulated,
      execute: (node) => nodeKindOf(node).execute(node, scope),
    };
    return await scope.execute(root);
  },
);

/** One that no worker of the cluster executes. */
export const abandoned: () => Promise<void> = workflow("sim//abandoned", async (): Promise<void> => {});
