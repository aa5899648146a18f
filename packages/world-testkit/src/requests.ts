import type {
  ClaimRequest,
  CreateRun,
  EventType,
  Message,
  NewEvent,
  RunCommit,
  RunRecord,
  StartKey,
} from "@perdure/core/world";

/** Requests as the engine would send them, for the cases of the suite. Nothing in here is random. */

/** The time at which every case begins. */
export const START: number = Date.UTC(2026, 0, 1);
/** The lease length of every case. */
export const TTL = 10_000;
/** The workflow of every run that is not asked for another. */
export const WORKFLOW = "workflow//./suite//main";
/** The workers of the cases. */
export const ALICE = "worker-alice";
export const BOB = "worker-bob";

let lastRun = 0;
let lastClaim = 0;

/** A claim id that no claim before had. */
export function nextClaimId(): string {
  lastClaim++;
  return `claim-${lastClaim}`;
}

/** A run id that is greater than all before it. */
export function nextRunId(): string {
  lastRun++;
  return `wrun_${String(lastRun).padStart(26, "0")}`;
}

/** The first lease of a run, as a start takes it. */
export function leaseOf(owner: string = ALICE, ttl: number = TTL): NonNullable<CreateRun["lease"]> {
  return { owner, claimId: nextClaimId(), ttl };
}

/** A run that is due at {@link START} in the queue of its workflow's name, without key and lease. */
export function newRun(change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId: nextRunId(),
    workflow: WORKFLOW,
    queue: change.workflow ?? WORKFLOW,
    attributes: {},
    state: null,
    event: eventOf("run_created"),
    dueAt: START,
    startKey: null,
    lease: null,
    ...change,
  };
}

/** A start key; held for ever unless it is given an end. */
export function keyOf(key: string, fingerprint = "fingerprint", expiresAt: number | null = null): StartKey {
  return { key, fingerprint, expiresAt };
}

export function eventOf(type: EventType, change: Partial<NewEvent> = {}): NewEvent {
  return { type, at: START, id: null, name: null, data: null, ...change };
}

export function stepCreated(id: string): NewEvent {
  return eventOf("step_created", { id, name: "step//./suite//charge" });
}

export function hookCreated(id: string, token: string, data: Uint8Array | null = null): NewEvent {
  return eventOf("hook_created", { id, name: token, data });
}

export function hookDisposed(id: string): NewEvent {
  return eventOf("hook_disposed", { id });
}

/** The fields of a row that a commit names. */
export type Held = Pick<RunRecord, "runId" | "epoch" | "claimId" | "seq" | "mailDone">;

/** A commit that keeps the lease. */
export function holding(
  run: Held,
  events: readonly NewEvent[] = [],
  change: Partial<RunCommit> = {},
): RunCommit {
  const { runId, epoch, seq, mailDone } = run;
  const claimId = run.claimId ?? "no claim";
  const lease = { type: "hold", ttl: TTL } as const;
  return { runId, epoch, claimId, seq, events, mailDone, run: {}, lease, ...change };
}

/** A commit that gives the lease back. */
export function parking(
  run: Held,
  dueAt: number | null,
  events: readonly NewEvent[] = [],
  change: Partial<RunCommit> = {},
): RunCommit {
  return holding(run, events, { lease: { type: "park", dueAt }, ...change });
}

/** A commit that ends the run as completed. */
export function finishing(
  run: Held,
  at: number = START,
  events: readonly NewEvent[] = [],
  change: Partial<RunCommit> = {},
): RunCommit {
  return holding(run, [...events, eventOf("run_completed", { at })], {
    run: { status: "completed", completedAt: at },
    lease: { type: "finish" },
    ...change,
  });
}

/** A claim of one worker for one run of the queue {@link WORKFLOW} at {@link START}. */
export function claiming(change: Partial<ClaimRequest> = {}): ClaimRequest {
  return {
    queues: [WORKFLOW],
    limit: 1,
    byteLimit: 1_000_000_000,
    owner: BOB,
    claimId: nextClaimId(),
    ttl: TTL,
    now: START,
    cached: new Map(),
    eventLimit: 1_000,
    ...change,
  };
}

/** A message to a run. */
export function toRun(runId: string, messageId: string, change: Partial<Message> = {}): Message {
  return { messageId, to: { runId }, type: "wake", at: START, data: null, ...change };
}

/** A message to the hook that has the token. */
export function toToken(token: string, messageId: string, change: Partial<Message> = {}): Message {
  return { messageId, to: { token }, type: "hook_received", at: START, data: null, ...change };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
