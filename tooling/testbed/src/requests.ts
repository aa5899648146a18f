/** Requests to a World, for the tests of one adapter; what all adapters have in common is tested by the testkit. */
import type { ClaimRequest, CreateRun, NewEvent, RunCommit } from "@perdure/core/world";

export const NOW = 1_700_000_000_000;
/** The claim under which the tests of one adapter hold their runs. */
export const CLAIM_ID = "claim-1";
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
    queue: change.workflow ?? WORKFLOW,
    attributes: {},
    state: null,
    event: event("run_created"),
    dueAt: NOW,
    startKey: null,
    lease: null,
    ...change,
  };
}

/** A claim of one run, as the engine sends it. */
export function claiming(change: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    queues: [WORKFLOW],
    limit: 10,
    byteLimit: 1_000_000_000,
    owner: "w",
    claimId: CLAIM_ID,
    ttl: 30_000,
    now: NOW,
    cached: new Map(),
    eventLimit: 1_000,
    ...change,
  };
}

export function hold(runId: string, seq: number, events: readonly NewEvent[]): RunCommit {
  const lease = { type: "hold", ttl: 30_000 } as const;
  return { runId, epoch: 1, claimId: CLAIM_ID, seq, events, mailDone: 0, run: {}, lease };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "finish" },
  };
}
