/** Requests to a World, for the tests of one adapter; what all adapters have in common is tested by the testkit. */
import type { CreateRun, NewEvent, RunCommit } from "@perdure/core/world";

export const NOW = 1_700_000_000_000;
export const WORKFLOW = "workflow//./test//main";

export function event(
  type: NewEvent["type"],
  id: string | null = null,
  name: string | null = null,
): NewEvent {
  return { type, at: NOW, id, name, data: new TextEncoder().encode(`"${type}"`) };
}

export function newRun(runId: string, change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId,
    workflow: WORKFLOW,
    event: event("run_created"),
    dueAt: NOW,
    startKey: null,
    lease: null,
    ...change,
  };
}

export function hold(runId: string, seq: number, events: readonly NewEvent[]): RunCommit {
  return { runId, epoch: 1, seq, events, mailDone: 0, run: {}, lease: { type: "hold", ttl: 30_000 } };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "finish" },
  };
}
