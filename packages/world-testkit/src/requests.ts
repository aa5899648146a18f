import type {
  Claiming,
  ClaimRequest,
  CommitEvent,
  CreateRun,
  FirstClaim,
  FirstMail,
  Message,
  NewEvent,
  RunCommit,
  RunRecord,
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

/** A run that is due at {@link START} in the queue of its workflow's name, without names, mail and lease. */
export function newRun(change: Partial<CreateRun> = {}): CreateRun {
  return {
    runId: nextRunId(),
    workflow: WORKFLOW,
    queue: change.workflow ?? WORKFLOW,
    attributes: {},
    state: null,
    idempotencyKey: null,
    events: [eventOf("run_created")],
    names: [],
    mail: [],
    dueAt: START,
    lease: null,
    ...change,
  };
}

/** A claim that comes with a new run. Its id is the name, and the name ends with the run, unless it is asked for otherwise. */
export function firstClaim(name: string, change: Partial<FirstClaim> = {}): FirstClaim {
  return { name, id: name, fingerprint: null, data: null, keepFor: 0, freeAt: 0, from: null, ...change };
}

/** A message that comes with a new run, to what in it has a name under this id. */
export function firstMail(messageId: string, id: string, change: Partial<FirstMail> = {}): FirstMail {
  return { messageId, id, type: "hook_received", at: START, data: null, ...change };
}

export function eventOf(type: string, change: Partial<NewEvent> = {}): NewEvent {
  return { type, at: START, id: null, name: null, data: null, ...change };
}

export function stepCreated(id: string): NewEvent {
  return eventOf("step_created", { id, name: "step//./suite//charge" });
}

/** The type under which an event of {@link taking} is written where the name is held. */
export const REFUSED = "hook_conflict";

/** An event that takes a name under an id. The name ends with the run unless it is asked for otherwise. */
export function taking(id: string, name: string, change: Partial<Claiming> = {}): CommitEvent {
  const claim: Claiming = {
    name,
    id,
    fingerprint: null,
    data: null,
    keepFor: 0,
    freeAt: 0,
    refusedAs: REFUSED,
    ...change,
  };
  return { ...eventOf("hook_created", { id, data: claim.data }), claim };
}

/** An event that frees what its run has under an id. */
export function releasing(id: string): CommitEvent {
  return { ...eventOf("hook_disposed", { id }), release: id };
}

/** The fields of a row that a commit names. */
export type Held = Pick<RunRecord, "runId" | "epoch" | "claimId" | "seq" | "mailDone">;

/** A commit that keeps the lease. */
export function holding(
  run: Held,
  events: readonly CommitEvent[] = [],
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
  events: readonly CommitEvent[] = [],
  change: Partial<RunCommit> = {},
): RunCommit {
  return holding(run, events, { lease: { type: "park", dueAt }, ...change });
}

/** A commit that ends the run as completed. */
export function finishing(
  run: Held,
  at: number = START,
  events: readonly CommitEvent[] = [],
  change: Partial<RunCommit> = {},
): RunCommit {
  return holding(run, [...events, eventOf("run_completed", { at })], {
    run: { status: "completed", completedAt: at },
    lease: { type: "park", dueAt: null },
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

/** A message to whoever has the name. */
export function toName(name: string, messageId: string, change: Partial<Message> = {}): Message {
  return { messageId, to: { name }, type: "hook_received", at: START, data: null, ...change };
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
