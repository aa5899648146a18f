import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { parentOf } from "../parent.ts";
import { isTerminal, type World } from "../world/index.ts";

/** The deletion of one run: only what nobody needs any more. */

/**
 * Deletes a run that has ended and has no work left, with all that belongs to it. One that somebody else deletes at the same time
 * is deleted.
 */
export async function deleteRun(world: World, runId: string): Promise<void> {
  const [run] = await world.getRuns([runId]);
  if (run === undefined || run === null) throw new WorkflowRunNotFoundError(runId);
  if (!isTerminal(run.status)) {
    throw new WorkflowRuntimeError(
      `Workflow run "${runId}" has not ended (${run.status}), so it cannot be deleted. End it with run.cancel(), wait for it, ` +
        "and delete it then.",
    );
  }
  await checkParent(world, runId, parentOf(run));
  if ((await world.deleteRuns([runId])) > 0) return;
  const [left] = await world.getRuns([runId]);
  if (left === undefined || left === null) return;
  throw new WorkflowRuntimeError(
    `Workflow run "${runId}" has ended and is not finished with: a worker has yet to tell those who wait for it, or to cancel ` +
      "its children. Delete it again in a moment; if that does not help, check that a worker is running.",
    { retryable: true },
  );
}

/** A parent that is under way may ask for its child again: it would start a second one, or find none. */
async function checkParent(world: World, runId: string, parent: string | undefined): Promise<void> {
  if (parent === undefined) return;
  const [run] = await world.getRuns([parent]);
  if (run === undefined || run === null || isTerminal(run.status)) return;
  throw new WorkflowRuntimeError(
    `Workflow run "${runId}" was started by run "${parent}", which has not ended (${run.status}) and may still ask for it. Delete ` +
      "it when that one has ended; the oldest first is the right order.",
  );
}
