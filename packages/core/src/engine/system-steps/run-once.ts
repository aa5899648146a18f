import { WorkflowRuntimeError } from "../../errors/index.ts";
import { CALLER, PARENT } from "../../interpreter/kinds/attributes.ts";
import { decode } from "../../serialization/index.ts";
import { executeStart, type StartRunInput, startedRun } from "./start-run.ts";
import type { StoreCalls } from "./store-calls.ts";
import type { SystemStep } from "./system-step.ts";
import { WAITS, WATCH, type Watcher, watch } from "./watch-run.ts";

/**
 * Has a step executed once for a key, by a run of its own: gives that run, for a caller who waits for its end then. A caller that
 * would wait for itself is refused.
 */

export const runOnce: SystemStep = {
  owed: true,
  async execute({ runId, id, input }, store) {
    const started = await executeStart(input as StartRunInput, runId, store);
    if (started.type === "found") await waitInTurn({ runId, id }, started.runId, store);
    return { type: "completed", value: startedRun(started) };
  },
};

/**
 * Says to a run that was there who waits for it from now on. Whoever started a run is known by the run.
 *
 * @throws {WorkflowRuntimeError} if the run waits for the one that would wait for it
 */
export async function waitInTurn(
  watcher: Watcher,
  executing: string,
  store: Pick<StoreCalls, "deliver" | "getRun" | "listEndMail" | "now">,
): Promise<void> {
  const watched = await watch(executing, watcher, WAITS, store);
  if (watched.type === "waiting") await refuseNesting(watcher.runId, executing, store);
}

/** Runs that are looked at. */
const MOST = 1_000;

/**
 * Refuses to wait for a run that waits for the caller itself, over however many others. The caller is among those who wait for
 * `executing` by now: so of several that close a circle at once, one sees it.
 *
 * @throws {WorkflowRuntimeError} if it would wait for ever
 */
async function refuseNesting(
  caller: string,
  executing: string,
  store: Pick<StoreCalls, "getRun" | "listEndMail">,
): Promise<void> {
  const waiting = new Set([caller]);
  for (const runId of waiting) {
    if (runId === executing) {
      throw new WorkflowRuntimeError(
        `once(): run "${executing}" executes the step for this key, and waits for run "${caller}", which asks for it: a key ` +
          "cannot be used within its own step. Use another key there.",
      );
    }
    if (waiting.size > MOST) return;
    for (const other of await waitersOf(runId, store)) waiting.add(other);
  }
}

/** Who waits for a run: those who said so, and who started it. */
async function waitersOf(
  runId: string,
  { getRun, listEndMail }: Pick<StoreCalls, "getRun" | "listEndMail">,
): Promise<readonly string[]> {
  const [run, mail] = await Promise.all([getRun(runId), listEndMail(runId, 0, MOST)]);
  const said = mail.filter(({ type }) => type === WATCH || type === WAITS);
  const { [PARENT]: parent, [CALLER]: first } = run?.attributes ?? {};
  const started = [parent, first].filter((id) => id !== undefined);
  return [...started, ...said.map(({ data }) => (decode(data) as Watcher).runId)];
}
