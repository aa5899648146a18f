import TinyQueue from "tinyqueue";
import { WorkflowRunCancelledError } from "../errors/index.ts";
import type { Execution } from "../interpreter/execution.ts";
import type { PendingStep } from "../interpreter/pending.ts";
import { applyRetry, type RetryRecord } from "../interpreter/replay.ts";
import { decode, encode, encodeError } from "../serialization/index.ts";
import type {
  CommitResult,
  EventType,
  LeaseChange,
  Mail,
  NewEvent,
  RunCommit,
  RunPatch,
} from "../world/index.ts";
import { encodeDivergence } from "./divergence.ts";
import { judgeFailure } from "./step-outcome.ts";
import type { Attempt, AttemptResult } from "./step-runner.ts";

/**
 * One run in this worker's memory: its execution, what it has to hear, and what the journal has to hear from it. Pure
 * bookkeeping; the worker's loops decide when each method is called.
 */

/** Something that the execution, or the journal, has to be told. Kept in the order of arrival. */
export type Incoming =
  | { readonly type: "attempt_ended"; readonly attempt: Attempt; readonly result: AttemptResult }
  | { readonly type: "wait_due"; readonly waitId: string }
  | { readonly type: "mail"; readonly mail: Mail };

/** A commit on its way, with what to do when it is durable. */
export interface OutgoingCommit {
  readonly run: LiveRun;
  readonly request: RunCommit;
  /** Steps whose bodies may start then. */
  readonly steps: readonly PendingStep[];
  /** When the lease runs out by our clock if it is held. */
  readonly leaseUntil: number;
}

/** Why a run is parked as diverged. */
interface Divergence {
  readonly error: Uint8Array;
  readonly retryAt: number;
  /** The last message that was known when the row was told; `null` before. */
  toldAt: number | null;
}

interface Due {
  readonly at: number;
  readonly id: string;
}

export interface LiveRunOptions {
  readonly runId: string;
  readonly workflow: string;
  readonly execution: Execution;
  readonly random: () => number;
}

export class LiveRun {
  readonly runId: string;
  readonly workflow: string;
  readonly execution: Execution;

  /** The lease under which it is held, and the length of its journal. */
  epoch = 0;
  seq = 0;
  /** By our clock. */
  leaseUntil = 0;
  /** `replaying`: not yet at the end of its journal. `parked`: in memory without a lease. `ended`: forget it. */
  phase: "replaying" | "held" | "parked" | "ended" = "replaying";
  /** A commit is under way. */
  committing = false;
  /** That commit gives the lease back, so nothing may be delivered until the run is held again. */
  #leaving = false;
  /** Messages are being fetched. */
  fetching = false;
  /** The store is being asked whether the lease is still ours. */
  renewing = false;
  /** Something came meanwhile that may be a message after those. */
  fetchAgain = false;
  /** The last message that is known to exist, and the last one that was read. */
  mailSeq = 0;
  mailRead = 0;
  /** The workflow function has not been called yet. */
  toBegin = false;
  /** Every microtask that the last delivery set off has run, and {@link gather} saw what came of it. */
  settled = true;
  /** The user was told that the workflow waits for something that is not durable. */
  warned = false;

  /** Attempts of this run that are queued or under way, by step id. */
  readonly attempts: Map<string, Attempt> = new Map();

  readonly #random: () => number;
  #incoming: Incoming[] = [];
  #outbox: NewEvent[] = [];
  #patch: { -readonly [K in keyof RunPatch]: RunPatch[K] } = {};
  #toStart: PendingStep[] = [];
  #dues: TinyQueue<Due> = newDues();
  #mailDone = 0;
  #lastAt = 0;
  #terminal = false;
  /** The next message cannot be read here; it waits until the steps that are under way have ended. */
  #mailBlocked = false;
  #divergence: Divergence | null = null;

  constructor(options: LiveRunOptions) {
    this.runId = options.runId;
    this.workflow = options.workflow;
    this.execution = options.execution;
    this.#random = options.random;
  }

  // Taking a lease.

  /** The run is ours under a new epoch, its execution at the end of the journal. */
  hold(lease: { epoch: number; seq: number; mailDone: number; leaseUntil: number; lastAt: number }): void {
    this.epoch = lease.epoch;
    this.seq = lease.seq;
    this.leaseUntil = lease.leaseUntil;
    this.phase = "held";
    this.#mailDone = lease.mailDone;
    this.mailRead = Math.max(this.mailRead, lease.mailDone);
    this.#lastAt = Math.max(this.#lastAt, lease.lastAt);
  }

  /** First execution: `run_started`. */
  begin(now: number): void {
    const event = this.#append("run_started", now, null, null, null);
    this.#patch.status = "running";
    this.#patch.startedAt = event.at;
    this.toBegin = false;
    this.settled = false;
    this.execution.begin(event.at);
  }

  /**
   * After a replay, or when a parked run is ours again: every unfinished step and sleep is scheduled. Steps that the lost
   * owner may have been executing count as an attempt.
   */
  schedule(lost: boolean, now: number, interrupted: (step: PendingStep) => unknown): void {
    this.#dues = newDues();
    const unwritten = new Set(this.execution.requests.map(({ id }) => id));
    for (const entry of [...this.execution.pending.values()]) {
      // Asked for at the end of the replay, so the journal has yet to hear of it: see gather().
      if (unwritten.has(entry.id)) continue;
      if (entry.kind === "wait") {
        this.#dues.push({ at: entry.resumeAt, id: entry.id });
      } else if (lost && (entry.retryAt === null || entry.retryAt <= now)) {
        this.#interrupt(entry, interrupted(entry), "owner_lost");
      } else if (entry.retryAt === null) {
        this.#toStart.push(entry);
      } else {
        this.#dues.push({ at: entry.retryAt, id: entry.id });
      }
    }
  }

  /**
   * Code and journal do not agree, or something cannot be read here: no code runs any more, and the run is parked until
   * `retryAt`. While it has messages, which would make it due at once, its lease is kept instead; a new message ends that.
   */
  diverge(error: unknown, retryAt: number, lost: boolean): void {
    const interrupted =
      lost || this.attempts.size > 0 || this.#incoming.some(({ type }) => type === "attempt_ended");
    this.#divergence = { error: encodeDivergence(error, interrupted), retryAt, toldAt: null };
    // A request to look at the run has been obeyed.
    for (const incoming of this.#incoming) {
      if (incoming.type !== "mail" || incoming.mail.type !== "wake") break;
      this.#mailDone = incoming.mail.mailSeq;
    }
    this.#incoming = [];
    this.#toStart = [];
    this.toBegin = false;
    this.settled = true;
    this.execution.drop();
  }

  /** Parked, or being parked, as diverged. */
  get diverged(): boolean {
    return this.#divergence !== null;
  }

  /** The run was parked as diverged and follows its journal again. */
  clearDivergence(): void {
    this.#patch.status = "running";
    this.#patch.error = null;
  }

  // What comes in.

  receive(incoming: Incoming): void {
    if (this.phase !== "ended") this.#incoming.push(incoming);
  }

  receiveMail(mail: readonly Mail[]): void {
    for (const message of mail) {
      if (message.mailSeq <= this.mailRead) continue;
      this.mailRead = message.mailSeq;
      if (!this.diverged) this.receive({ type: "mail", mail: message });
    }
    this.mailSeq = Math.max(this.mailSeq, this.mailRead);
  }

  /** Moves what has become due: sleeps to the incoming, steps to those that start. True if there was any. */
  wake(now: number): boolean {
    let any = false;
    for (let due = this.#nextDue(); due !== undefined && due.at <= now; due = this.#nextDue()) {
      this.#dues.pop();
      const entry = this.execution.pending.get(due.id);
      if (entry?.kind === "wait") this.receive({ type: "wait_due", waitId: due.id });
      else if (entry?.kind === "step") this.#toStart.push(entry);
      any = true;
    }
    return any;
  }

  /** When {@link wake} has something to do next, or `null`. */
  get nextDueAt(): number | null {
    if (this.#divergence !== null) return this.committing ? null : this.#divergence.retryAt;
    return this.#nextDue()?.at ?? null;
  }

  /** There is something to deliver and nothing that forbids it. */
  get deliverable(): boolean {
    return (
      this.phase === "held" &&
      this.settled &&
      !this.toBegin &&
      !this.#leaving &&
      this.#nextIncoming >= 0 &&
      this.execution.requests.length === 0 &&
      !this.execution.awaitsRegistration &&
      this.execution.outcome === null &&
      !this.#terminal
    );
  }

  /**
   * Delivers one event to the execution; true if it did, so that it has to drain. Throws if it cannot be read here and
   * nothing else is left to do.
   */
  deliverNext(now: number): boolean {
    while (this.deliverable) {
      const at = this.#nextIncoming;
      const incoming = (at === 0 ? this.#incoming.shift() : this.#incoming.splice(at, 1)[0]) as Incoming;
      try {
        if (this.#deliver(incoming, now)) return true;
      } catch (error) {
        this.#incoming.unshift(incoming);
        if (incoming.type !== "mail" || this.#mailBlocked) throw error;
        this.#mailBlocked = true;
      }
    }
    return false;
  }

  /** Index of what is delivered next, or -1. */
  get #nextIncoming(): number {
    if (this.#incoming.length === 0 || this.diverged) return -1;
    if (!this.#mailBlocked) return 0;
    const other = this.#incoming.findIndex(
      (incoming) => incoming.type !== "mail" || incoming.mail.type === "cancel_requested",
    );
    return other >= 0 || this.attempts.size > 0 ? other : 0;
  }

  // What goes out.

  /** Something waits here for a tick or a commit. */
  get hasWork(): boolean {
    return (
      this.#incoming.length > 0 ||
      this.#outbox.length > 0 ||
      this.#toStart.length > 0 ||
      this.execution.requests.length > 0 ||
      this.execution.outcome !== null
    );
  }

  /** After a drain: what the code asked for, and how it ended, goes to the outbox. */
  gather(now: number): void {
    if (this.phase !== "held" || this.#terminal || this.diverged) return;
    this.settled = true;
    for (const request of this.execution.requests) {
      const event = this.#append(request.type, now, request.id, request.name, request.data);
      if (request.type === "hook_created") continue;
      this.execution.journalled(event);
      const entry = this.execution.pending.get(request.id);
      if (entry?.kind === "step") this.#toStart.push(entry);
      else if (entry?.kind === "wait") this.#dues.push({ at: entry.resumeAt, id: entry.id });
    }
    this.execution.requests.length = 0;
    if (this.execution.outcome !== null) this.#end(now);
  }

  /**
   * Steps whose attempt may start without a commit: the journal has them already (a retry, or a run that was taken over).
   */
  takeRestarts(): readonly PendingStep[] {
    if (this.phase !== "held" || this.#outbox.length > 0 || this.committing || this.#terminal) return [];
    if (this.#toStart.length === 0) return [];
    const steps = this.#toStart;
    this.#toStart = [];
    return steps;
  }

  /** The step may not start yet, so the run may not park; it comes again with {@link takeRestarts} or a commit. */
  postpone(step: PendingStep): void {
    this.#toStart.push(step);
  }

  /** The next commit, or `null` if there is nothing to say. `handOver`: give the run back as soon as possible. */
  nextCommit(now: number, ttl: number, handOver: boolean): OutgoingCommit | null {
    if (this.phase !== "held" || this.committing || !this.settled) return null;
    const lease = this.#nextLease(ttl, handOver, now);
    if (lease === null) return null;
    if (this.#outbox.length === 0 && lease.type === "hold" && Object.keys(this.#patch).length === 0)
      return null;
    const request: RunCommit = {
      runId: this.runId,
      epoch: this.epoch,
      seq: this.seq,
      events: this.#outbox,
      mailDone: this.#mailDone,
      run: this.#patch,
      lease,
    };
    const steps = lease.type === "hold" ? this.#toStart : [];
    this.#outbox = [];
    this.#patch = {};
    this.#toStart = [];
    this.committing = true;
    this.#leaving = lease.type !== "hold";
    return { run: this, request, steps, leaseUntil: now + ttl };
  }

  /** The commit is durable. True if the execution was told something and has to drain. */
  committed(commit: OutgoingCommit, result: CommitResult & { outcome: "committed" }): boolean {
    const { request } = commit;
    this.committing = false;
    this.#leaving = false;
    this.seq += request.events.length;
    this.mailSeq = Math.max(this.mailSeq, result.mailSeq);
    if (request.lease.type === "finish") {
      this.end();
      return false;
    }
    if (request.lease.type === "park") {
      this.phase = "parked";
      return false;
    }
    this.leaseUntil = Math.max(this.leaseUntil, commit.leaseUntil);
    for (const event of request.events) {
      if (event.type !== "hook_created") continue;
      const conflict = result.conflicts.find(({ hookId }) => hookId === event.id);
      this.execution.journalled(
        conflict === undefined
          ? event
          : { ...event, type: "hook_conflict", data: new TextEncoder().encode(conflict.runId) },
      );
    }
    if (this.diverged || !this.execution.deliverRegistrations()) return false;
    this.settled = false;
    return true;
  }

  /** Gives up every attempt, so that another worker can go on at once. Those whose body has begun are counted. */
  giveUpAttempts(
    which: "queued" | "all",
    interrupted: (step: PendingStep) => unknown,
    reason: unknown,
  ): void {
    for (const attempt of [...this.attempts.values()]) {
      if (attempt.started && which === "queued") continue;
      attempt.abort(reason);
      this.attempts.delete(attempt.step.id);
      if (attempt.started) this.#interrupt(attempt.step, interrupted(attempt.step), "shutdown");
    }
  }

  /** The workflow has ended, which may not be durable yet: no body begins any more. */
  get over(): boolean {
    return this.#terminal;
  }

  /** A cancel request met a run that has not begun, or that cannot follow its journal: it ends without running code. */
  endCancelled(mail: Mail, now: number): void {
    this.#mailDone = mail.mailSeq;
    this.#append("run_cancel_requested", now, null, null, mail.data);
    this.#finishCancelled(reasonText(mail.data), now);
    this.settled = true;
  }

  /** Forgets the run: attempts are aborted, the execution is dropped where it stands. */
  end(reason?: unknown): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    for (const attempt of this.attempts.values()) attempt.abort(reason);
    this.attempts.clear();
    this.execution.drop();
    this.#incoming = [];
  }

  /** The workflow waits for something that the journal knows nothing of. */
  get stalled(): boolean {
    return (
      this.phase === "held" && !this.toBegin && !this.#terminal && !this.diverged && this.execution.stalled
    );
  }

  #deliver(incoming: Incoming, now: number): boolean {
    switch (incoming.type) {
      case "attempt_ended":
        return this.#attemptEnded(incoming.attempt, incoming.result, now);
      case "wait_due":
        if (!this.execution.pending.has(incoming.waitId)) return false;
        return this.#tell("wait_completed", now, incoming.waitId, null);
      case "mail":
        return this.#readMail(incoming.mail, now);
    }
  }

  #interrupt(step: PendingStep, error: unknown, reason: "owner_lost" | "shutdown"): void {
    const attempt = { step, attempt: step.attempt, started: true, abort(): void {} };
    this.receive({ type: "attempt_ended", attempt, result: { type: "failed", error, reason } });
  }

  #attemptEnded(attempt: Attempt, result: AttemptResult, now: number): boolean {
    const { step } = attempt;
    if (this.execution.pending.get(step.id) !== step || step.attempt !== attempt.attempt) return false;
    if (result.type === "completed") {
      return this.#tell("step_completed", now, step.id, result.value, { value: result.decoded });
    }
    return this.#attemptFailed(step, result.error, result.reason, now);
  }

  /** Another attempt, or the end of the step; true if the execution was told. */
  #attemptFailed(step: PendingStep, error: unknown, reason: RetryRecord["reason"], now: number): boolean {
    const verdict = judgeFailure(step, error, reason, now, this.#random);
    if (verdict.type === "fail") {
      return this.#tell("step_failed", now, step.id, verdict.error);
    }
    this.#append("step_retrying", now, step.id, null, encode(verdict.record, "retry"));
    applyRetry(step, verdict.record);
    this.#dues.push({ at: verdict.record.retryAt, id: step.id });
    return false;
  }

  #readMail(mail: Mail, now: number): boolean {
    const hookId = mail.hookId as string;
    const known = this.execution.hasHook(hookId) ? { value: decode(mail.data) } : null;
    this.#mailDone = mail.mailSeq;
    this.#mailBlocked = false;
    switch (mail.type) {
      case "hook_received":
        return known !== null && this.#tell("hook_received", now, hookId, mail.data, known);
      case "cancel_requested": {
        if (this.execution.cancelled !== null) return false;
        const reason = new WorkflowRunCancelledError(this.runId, reasonText(mail.data));
        for (const attempt of this.attempts.values()) attempt.abort(reason);
        this.attempts.clear();
        this.#toStart = [];
        return this.#tell("run_cancel_requested", now, null, mail.data);
      }
      case "wake":
        return false;
    }
  }

  #tell(
    type: EventType,
    now: number,
    id: string | null,
    data: Uint8Array | null,
    known?: { readonly value: unknown },
  ): true {
    this.settled = false;
    this.execution.deliver(this.#append(type, now, id, null, data), known);
    return true;
  }

  #append(
    type: EventType,
    now: number,
    id: string | null,
    name: string | null,
    data: Uint8Array | null,
  ): NewEvent {
    this.#lastAt = Math.max(this.#lastAt, now);
    const event: NewEvent = { type, at: this.#lastAt, id, name, data };
    this.#outbox.push(event);
    return event;
  }

  #end(now: number): void {
    this.#terminal = true;
    this.#toStart = [];
    // Attempts that are under way learn of it when the end is durable.
    for (const attempt of this.attempts.values()) if (!attempt.started) attempt.abort(undefined);
    const { outcome, cancelled } = this.execution;
    this.#patch.completedAt = Math.max(this.#lastAt, now);
    if (cancelled !== null) {
      this.#finishCancelled(typeof cancelled.reason === "string" ? cancelled.reason : undefined, now);
      return;
    }
    try {
      if (outcome?.type === "returned") {
        const output = encode(outcome.value, "return value");
        this.#patch.status = "completed";
        this.#patch.output = output;
        this.#append("run_completed", now, null, null, output);
        return;
      }
      this.#fail(outcome?.error, now);
    } catch (error) {
      this.#fail(error, now);
    }
  }

  #finishCancelled(reason: string | undefined, now: number): void {
    this.#terminal = true;
    const error = encodeError(new WorkflowRunCancelledError(this.runId, reason));
    this.#patch.status = "cancelled";
    this.#patch.completedAt = Math.max(this.#lastAt, now);
    this.#patch.error = error;
    this.#append("run_cancelled", now, null, null, error);
  }

  #fail(error: unknown, now: number): void {
    const encoded = encodeError(error);
    this.#patch.status = "failed";
    this.#patch.error = encoded;
    this.#append("run_failed", now, null, null, encoded);
  }

  #nextLease(ttl: number, handOver: boolean, now: number): LeaseChange | null {
    if (this.#terminal) return { type: "finish" };
    if (this.#divergence !== null) return this.#divergedLease(this.#divergence, ttl, handOver, now);
    if (!this.#mayPark(handOver)) return { type: "hold", ttl };
    return { type: "park", dueAt: handOver ? now : this.nextDueAt };
  }

  #divergedLease(divergence: Divergence, ttl: number, handOver: boolean, now: number): LeaseChange | null {
    const unread = this.mailSeq > this.#mailDone;
    if (divergence.toldAt === null) {
      divergence.toldAt = this.mailSeq;
      this.#patch.status = "diverged";
      this.#patch.error = divergence.error;
      if (unread && !handOver) return { type: "hold", ttl };
      return { type: "park", dueAt: handOver ? now : divergence.retryAt };
    }
    const again = handOver || now >= divergence.retryAt || this.mailSeq > divergence.toldAt;
    return again ? { type: "park", dueAt: now } : null;
  }

  /** Parking needs that nothing is under way here: no attempt, no event to deliver, no answer to wait for. */
  #mayPark(handOver: boolean): boolean {
    if (this.attempts.size > 0) return false;
    if (this.#toStart.length > 0 && !handOver) return false;
    if ((this.fetching || this.mailSeq > this.mailRead) && !handOver) return false;
    if (this.#incoming.length > 0) return false;
    if (this.execution.requests.length > 0 || this.execution.awaitsRegistration) return false;
    if (this.toBegin) return handOver;
    return !this.execution.stalled || handOver;
  }

  #nextDue(): Due | undefined {
    for (let due = this.#dues.peek(); due !== undefined; due = this.#dues.peek()) {
      const entry = this.execution.pending.get(due.id);
      const at = entry === undefined ? null : entry.kind === "wait" ? entry.resumeAt : entry.retryAt;
      if (at === due.at) return due;
      this.#dues.pop();
    }
    return undefined;
  }
}

function newDues(): TinyQueue<Due> {
  return new TinyQueue<Due>([], (a, b) => a.at - b.at);
}

/** The reason in a cancel message or event. */
export function reasonText(data: Uint8Array | null): string | undefined {
  const reason = decode(data);
  return typeof reason === "string" ? reason : undefined;
}
