import type { Clock } from "../clock.ts";
import { workflowFunction } from "../define/registry.ts";
import { WorkflowNotRegisteredError } from "../errors/index.ts";
import { Execution } from "../interpreter/execution.ts";
import { replay } from "../interpreter/replay.ts";
import type { JournalEvent, World } from "../world/index.ts";
import { EVENT_PAGE } from "./claim-loop.ts";

/** Bringing a run into memory: the rest of its journal, a fresh execution, and the replay. */

export interface LoadRequest {
  readonly runId: string;
  readonly workflow: string;
  /** The beginning of its journal; at least `run_created`. */
  readonly events: readonly Pick<JournalEvent, "data">[];
  readonly largestValue: number;
  readonly clock: () => number;
  readonly newToken: () => string;
  readonly onActivity: () => void;
  readonly onStray: (reason: unknown) => void;
}

/** A fresh execution, not begun. */
export function newExecution({ events, ...options }: LoadRequest): Execution {
  const { workflow } = options;
  const fn = workflowFunction(workflow);
  if (fn === undefined) throw new WorkflowNotRegisteredError(workflow);
  return new Execution({ ...options, fn, input: events[0]?.data ?? null });
}

/** The whole journal of a run, given its beginning and its length. */
export async function readJournal(
  world: World,
  runId: string,
  seq: number,
  first: readonly JournalEvent[],
): Promise<readonly JournalEvent[]> {
  if (first.length >= seq) return first;
  const events = [...first];
  while (events.length < seq) {
    const page = await world.listEvents(runId, events.length, EVENT_PAGE);
    if (page.length === 0) {
      throw new Error(`The journal of run ${runId} ends at event ${events.length}, its row says ${seq}.`);
    }
    events.push(...page);
  }
  return events;
}

/** Brings a fresh execution to the end of its journal. Throws what parks the run as diverged. */
export async function replayJournal(
  execution: Execution,
  events: readonly JournalEvent[],
  clock: Clock,
): Promise<void> {
  for (const { type, id, name } of events) {
    if ((type === "hook_created" || type === "hook_conflict") && id !== null && name !== null) {
      execution.knownTokens.set(id, name);
    }
  }
  await replay(execution, events, clock);
  execution.knownTokens.clear();
}
