/** Requests to a World, for the tests of one adapter; what all adapters have in common is tested by the testkit. */
import type {
  ClaimRequest,
  CommitEvent,
  CreateRun,
  FirstClaim,
  NewEvent,
  RunCommit,
} from "@perdure/core/world";

export const NOW = 1_700_000_000_000;
/** The claim under which the tests of one adapter hold their runs. */
export const CLAIM_ID = "claim-1";
export const WORKFLOW = "workflow//./test//main";

export function event(type: string, id: string | null = null, name: string | null = null): NewEvent {
  return { type, at: NOW, id, name, data: new TextEncoder().encode(`"${type}"`) };
}

export function newRun(runId: string, change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId,
    workflow: WORKFLOW,
    queue: change.workflow ?? WORKFLOW,
    attributes: {},
    state: null,
    idempotencyKey: null,
    events: [event("run_created")],
    names: [],
    mail: [],
    dueAt: NOW,
    lease: null,
    ...change,
  };
}

/** A claim that comes with a new run; the name ends with the run unless it is asked for otherwise. */
export function firstClaim(name: string, change: Partial<FirstClaim> = {}): FirstClaim {
  return { name, id: name, fingerprint: null, data: null, keepFor: 0, freeAt: 0, from: null, ...change };
}

/** An event that takes a name, which ends with the run. */
export function taking(id: string, name: string): CommitEvent {
  const { from: _, ...claim } = firstClaim(name, { id });
  return { ...event("hook_created", id), claim: { ...claim, refusedAs: "hook_conflict" } };
}

/** An event that frees what the run has under an id. */
export function releasing(id: string): CommitEvent {
  return { ...event("hook_disposed", id), release: id };
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

export function hold(runId: string, seq: number, events: readonly CommitEvent[]): RunCommit {
  const lease = { type: "hold", ttl: 30_000 } as const;
  return { runId, epoch: 1, claimId: CLAIM_ID, seq, events, mailDone: 0, run: {}, lease };
}

export function finish(runId: string, seq: number, completedAt: number): RunCommit {
  return {
    ...hold(runId, seq, [event("run_completed")]),
    run: { status: "completed", completedAt },
    lease: { type: "park", dueAt: null },
  };
}
