import { RELEASE_START_KEY } from "../interpreter/kinds/start-key.ts";
import { STOP_SLEEP } from "../interpreter/kinds/wait.ts";
import type { CreateRun, Message } from "../world/index.ts";

/** What a caller is told whose request the store has not answered: what is not known, and how to go on without doing it twice. */

/** Of a start whose answer was lost. */
export function unansweredStart({ runId, idempotencyKey }: CreateRun): string {
  const unknown = "Whether the run was created is not known";
  if (idempotencyKey !== null) {
    return `${unknown}: call start() again with the same idempotencyKey and arguments, which gives that run or creates it.`;
  }
  return (
    `${unknown}: when the store answers again, await getRun("${runId}").exists. With an idempotencyKey, start() can simply ` +
    "be called again."
  );
}

/** What sends messages of these types to a run. */
const CALLS: Readonly<Record<string, string>> = {
  cancel_requested: "cancel()",
  wake: "retry()",
  [RELEASE_START_KEY]: "releaseKey()",
  [STOP_SLEEP]: "wakeUp()",
};

/** Of a message whose answer was lost. */
export function unansweredMessage({ type, to }: Message): string {
  if (type === "hook_received") {
    return (
      "Whether the payload was delivered is not known: call resumeHook() again with the same idempotencyKey, which delivers " +
      "it once. A call without one may deliver it a second time."
    );
  }
  const target = "runId" in to ? ` of run "${to.runId}"` : "";
  const what = CALLS[type] ?? "message";
  return `Whether the ${what}${target} has arrived is not known: call it again, which does no harm.`;
}
