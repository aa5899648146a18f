import { WorkflowRunCancelledError } from "../errors/index.ts";
import { deliver, journalled } from "../interpreter/events.ts";
import type { Execution } from "../interpreter/execution.ts";
import { type CancelRecord, cancelOf } from "../interpreter/kinds/cancel.ts";
import { asWritten } from "../interpreter/kinds/hook.ts";
import { hearingOf } from "../interpreter/kinds/index.ts";
import { applyRetry, isStep, type PendingStep, type RetryRecord } from "../interpreter/kinds/step.ts";
import type { Known, Pending } from "../interpreter/pending.ts";
import { encode, encodeError } from "../serialization/index.ts";
import type {
  CommitResult,
  EventType,
  Lease,
  LeaseChange,
  Mail,
  NewEvent,
  RunCommit,
} from "../world/index.ts";
import { DivergedRun, encodeDivergence } from "./divergence.ts";
import { Dues } from "./dues.ts";
import { Inbox, type Incoming } from "./inbox.ts";
import { Outbox, reasonOf } from "./outbox.ts";
import type { Attempt, AttemptResult } from "./step-attempt.ts";
import { judgeFailure } from "./step-outcome.ts";

/**
 * One run in this worker's memory: its execution, what it has to hear, and what the journal has to hear from it. Pure
 * bookkeeping; the worker's loops decide when each method is called.
 */

/** So long, in milliseconds, steps that have begun may take to end when their run is cancelled. */
const CANCEL_GRACE = 10_000;

/** A commit on its way, with what to do when it is durable. */
export interface OutgoingCommit {
  readonly run: LiveRun;
  readonly request: RunCommit;
  /** Steps whose bodies may start then. */
  readonly steps: readonly PendingStep[];
  /** When the lease runs out if it is held, in monotonic time. */
  readonly leaseUntil: number;
}

/** How the next commit is made. */
export interface CommitTerms {
  /** Lease length in milliseconds. */
  readonly ttl: number;
  /** Give the run back as soon as possible. */
  readonly handOver: boolean;
  /** The most bytes of events. */
  readonly limit: number;
}

/** One moment by the time of day and by monotonic time. */
export interface Moment {
  readonly now: number;
  readonly elapsed: number;
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
  claimId = "";
  /** Lost claims since the journal last moved. */
  #lostClaims = 0;
  /** An event that is told when it is durable: see {@link #tell}. */
  #withheld: { readonly event: NewEvent; readonly known: Known | undefined } | null = null;
  seq = 0;
  /** In monotonic time, as all that is relative. */
  leaseUntil = 0;
  /** `replaying`: not yet at the end of its journal. `parked`: in memory without a lease. `ended`: forget it. */
  phase: "replaying" | "held" | "parked" | "ended" = "replaying";
  /** A commit is under way. */
  committing = false;
  #commitBuiltAt = 0;
  /** That commit gives the lease back, so nothing may be delivered until the run is held again. */
  #leaving = false;
  /** Messages are being fetched. */
  fetching = false;
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
  readonly #inbox: Inbox = new Inbox();
  readonly #outbox: Outbox;
  #toStart: PendingStep[] = [];
  #dues: Dues;
  #mailDone = 0;
  /** The steps that a cancel let end have had their time. */
  #gaveUp = false;
  #divergence: DivergedRun | null = null;
  /** Where {@link stopWaiting} was called last. */
  #gaveUpAt = -1;

  constructor(options: LiveRunOptions) {
    this.runId = options.runId;
    this.workflow = options.workflow;
    this.execution = options.execution;
    this.#random = options.random;
    this.#outbox = new Outbox(options.runId);
    this.#dues = new Dues(options.execution.pending);
  }

  // Taking a lease.

  /** The lease under which it is, or was last, held. */
  get lease(): Lease {
    return { runId: this.runId, epoch: this.epoch, claimId: this.claimId };
  }

  /** The run is ours under a new epoch, its execution at the end of the journal. */
  hold(lease: {
    seq: number;
    mailSeq: number;
    mailDone: number;
    lostClaims: number;
    leaseUntil: number;
    lastAt: number;
  }): void {
    this.seq = lease.seq;
    this.#lostClaims = lease.lostClaims;
    this.leaseUntil = lease.leaseUntil;
    this.phase = "held";
    this.#mailDone = lease.mailDone;
    this.mailRead = Math.max(this.mailRead, lease.mailDone);
    this.mailSeq = Math.max(this.mailSeq, lease.mailSeq);
    this.#outbox.notBefore(lease.lastAt);
  }

  /** First execution: `run_started`. */
  begin(now: number): void {
    const event = this.#outbox.append("run_started", now, null, null, null);
    this.#outbox.patch({ status: "running", startedAt: event.at });
    this.toBegin = false;
    this.settled = false;
    this.execution.begin(event.at);
  }

  /**
   * After a replay, or when a parked run is ours again: every unfinished step and sleep is scheduled. Steps that the lost
   * owner may have been executing count as an attempt.
   */
  schedule(lost: boolean, now: number, interrupted: (step: PendingStep) => unknown): void {
    this.#dues = new Dues(this.execution.pending);
    const unwritten = new Set(this.execution.requests.map(({ id }) => id));
    for (const entry of [...this.execution.pending.values()]) {
      // Asked for at the end of the replay, so the journal has yet to hear of it: see gather().
      if (unwritten.has(entry.id)) continue;
      if (lost && isStep(entry) && (entry.dueAt ?? now) <= now) {
        this.#interrupt(entry, interrupted(entry), "owner_lost");
      } else {
        this.#await(entry);
      }
    }
  }

  /** The journal has it: the engine acts when it is due. */
  #await(entry: Pending): void {
    if (entry.dueAt !== null) this.#dues.add(entry.id, entry.dueAt);
    else if (isStep(entry)) this.#toStart.push(entry);
  }

  /**
   * Code and journal do not agree, or something cannot be read here: no code runs any more, and the run is parked until
   * `retryAt`. While it has messages, which would make it due at once, its lease is kept instead; a new message ends that.
   */
  diverge(error: unknown, retryAt: number, lost: boolean): void {
    const interrupted = lost || this.attempts.size > 0 || this.#inbox.hasAttemptEnd;
    this.#divergence = new DivergedRun(encodeDivergence(error, interrupted), retryAt);
    this.#mailDone = this.#inbox.clear() ?? this.#mailDone;
    this.#toStart = [];
    this.toBegin = false;
    this.settled = true;
    this.execution.drop();
  }

  /** Parked, or being parked, as diverged. */
  get diverged(): boolean {
    return this.#divergence !== null;
  }

  /** A poisoned run is tried again, at once and alone. */
  forgive(lostClaims: number): void {
    this.#outbox.patch({ lostClaims });
  }

  /** The run was parked as diverged and follows its journal again. */
  clearDivergence(): void {
    this.#outbox.patch({ status: "running", error: null });
  }

  // What comes in.

  receive(incoming: Incoming): void {
    if (this.phase !== "ended") this.#inbox.add(incoming);
  }

  receiveMail(mail: readonly Mail[]): void {
    for (const message of mail) {
      if (message.mailSeq <= this.mailRead) continue;
      this.mailRead = message.mailSeq;
      if (!this.diverged) this.receive({ type: "mail", mail: message });
    }
    this.mailSeq = Math.max(this.mailSeq, this.mailRead);
  }

  /** Moves what has become due: sleeps to the incoming, steps to those that start. */
  wake(now: number): void {
    if ((this.#finishingUntil ?? Number.POSITIVE_INFINITY) <= now) this.#giveUpFinishing();
    for (let due = this.#dues.take(now); due !== undefined; due = this.#dues.take(now)) {
      if (isStep(due)) this.#toStart.push(due);
      else this.receive({ type: "due", entry: due });
    }
  }

  /** When {@link wake} has something to do next, or `null`. */
  get nextDueAt(): number | null {
    if (this.#divergence !== null) return this.committing ? null : this.#divergence.dueAt;
    const until = this.#finishingUntil;
    const due = this.#dues.next;
    return until === null ? due : Math.min(due ?? until, until);
  }

  /** There is something to deliver and nothing that forbids it. */
  get deliverable(): boolean {
    return (
      this.phase === "held" &&
      this.settled &&
      !this.toBegin &&
      !this.#leaving &&
      this.#withheld === null &&
      !this.diverged &&
      this.#inbox.hasNext(this.attempts.size > 0) &&
      this.execution.requests.length === 0 &&
      !this.execution.awaitsAnswer &&
      this.execution.outcome === null &&
      !this.over &&
      !this.working
    );
  }

  /**
   * Delivers one event to the execution; true if it did, so that it has to drain. Throws if it cannot be read here and
   * nothing else is left to do.
   */
  deliverNext(now: number): boolean {
    while (this.deliverable) {
      const incoming = this.#inbox.take(this.attempts.size > 0);
      if (incoming === undefined) return false;
      try {
        if (this.#deliver(incoming, now)) return true;
      } catch (error) {
        if (!this.#inbox.putBack(incoming)) throw error;
      }
    }
    return false;
  }

  // What goes out.

  /** Something waits here for a tick or a commit. */
  get hasWork(): boolean {
    return (
      !this.#inbox.isEmpty ||
      this.#outbox.hasEvents ||
      this.#toStart.length > 0 ||
      this.execution.requests.length > 0 ||
      this.execution.outcome !== null
    );
  }

  /** After a drain: what the code asked for, and how it ended, goes to the outbox. */
  gather(now: number): void {
    this.#divergence?.look(now);
    if (this.phase !== "held" || this.over || this.diverged) return;
    this.settled = true;
    for (const request of this.execution.requests) {
      const event = this.#outbox.append(request.type, now, request.id, request.name, request.data);
      if (request.answered === true) continue;
      journalled(this.execution, event);
      const entry = this.execution.pending.get(request.id);
      if (entry !== undefined) this.#await(entry);
    }
    this.execution.requests.length = 0;
    const { outcome } = this.execution;
    if (outcome === null) return;
    this.#outbox.end(outcome, cancelOf(this.execution).record, now);
    this.#toStart = [];
    // Attempts that are under way learn of it when the end is durable.
    for (const attempt of this.attempts.values()) if (!attempt.started) attempt.abort(undefined);
  }

  /**
   * Steps whose attempt may start without a commit: the journal has them already (a retry, or a run that was taken over).
   */
  takeRestarts(): readonly PendingStep[] {
    if (this.phase !== "held" || this.#outbox.hasEvents || this.committing || this.over) return [];
    if (this.#toStart.length === 0) return [];
    const steps = this.#toStart;
    this.#toStart = [];
    return steps;
  }

  /** The step may not start yet, so the run may not park; it comes again with {@link takeRestarts} or a commit. */
  postpone(step: PendingStep): void {
    this.#toStart.push(step);
  }

  /** The next commit, or `null` if there is nothing to say. */
  nextCommit({ now, elapsed }: Moment, { ttl, handOver, limit }: CommitTerms): OutgoingCommit | null {
    if (this.phase !== "held" || this.committing || !this.settled) return null;
    const last = this.#nextLease(ttl, handOver, now);
    if (last === null) return null;
    if (this.#outbox.isEmpty && last.type === "hold") return null;
    if (this.#lostClaims > 0 && this.#outbox.hasProgress) this.#outbox.patch({ lostClaims: 0 });
    const { events, patch, whole } = this.#outbox.take(limit);
    const lease = whole ? last : ({ type: "hold", ttl } as const);
    const request: RunCommit = {
      runId: this.runId,
      epoch: this.epoch,
      claimId: this.claimId,
      seq: this.seq,
      events,
      mailDone: this.#mailDone,
      run: patch,
      lease,
    };
    const steps = lease.type === "hold" ? this.#takeStepsOf(whole) : [];
    this.committing = true;
    this.#commitBuiltAt = elapsed;
    this.#leaving = lease.type !== "hold";
    return { run: this, request, steps, leaseUntil: elapsed + ttl };
  }

  /** What it has to commit, as a part of a batch. */
  get commitSize(): number {
    return this.#outbox.size;
  }

  /** The steps that may start when the commit is durable: those that it creates, and those that the journal has already. */
  #takeStepsOf(whole: boolean): readonly PendingStep[] {
    const unwritten = whole ? null : this.#outbox.ids();
    const steps = unwritten === null ? this.#toStart : this.#toStart.filter(({ id }) => !unwritten.has(id));
    this.#toStart = unwritten === null ? [] : this.#toStart.filter(({ id }) => unwritten.has(id));
    return steps;
  }

  /** The answer to a commit is so late that another worker may do better: the lease is not renewed any more. */
  isOverdue(elapsed: number, leaseTtl: number): boolean {
    return this.committing && elapsed - this.#commitBuiltAt > leaseTtl;
  }

  /** The store will never take what the run has to say: it is parked with the refusal. False if even that was refused. */
  refused(error: unknown, retryAt: number): boolean {
    this.committing = false;
    this.#leaving = false;
    if (this.diverged || this.phase !== "held") return false;
    this.#outbox.discard();
    this.diverge(error, retryAt, true);
    return true;
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
    this.#lostClaims = request.run.lostClaims ?? this.#lostClaims;
    const withheld = this.#withheld;
    if (withheld !== null && request.events.includes(withheld.event)) {
      this.#withheld = null;
      this.settled = false;
      deliver(this.execution, withheld.event, withheld.known);
      return true;
    }
    if (this.execution.awaitsAnswer) {
      for (const event of request.events) journalled(this.execution, asWritten(event, result.conflicts));
    }
    if (this.diverged || !this.execution.deliverAnswers()) return false;
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
    return this.#outbox.ended;
  }

  /** A cancel request met a run that has not begun, or that cannot follow its journal: it ends without running code. */
  endCancelled(mail: Mail, now: number): void {
    this.#mailDone = mail.mailSeq;
    const reason = reasonOf(mail.data);
    const record: CancelRecord = { reason, finishing: [], until: now };
    this.#outbox.append("run_cancel_requested", now, null, null, encode(record, "cancel"));
    this.#outbox.endCancelled(reason, now);
    this.settled = true;
  }

  /** Forgets the run: attempts are aborted, the execution is dropped where it stands. */
  end(reason?: unknown): void {
    if (this.phase === "ended") return;
    this.phase = "ended";
    for (const attempt of this.attempts.values()) attempt.abort(reason);
    this.attempts.clear();
    this.execution.drop();
    this.#inbox.clear();
  }

  /** The code is busy with something that the journal knows nothing of, and may go on without being told anything. */
  get working(): boolean {
    if (this.phase !== "held" || !this.execution.stalled || this.#gaveUpAt === this.execution.progress)
      return false;
    return !this.toBegin && !this.over && !this.diverged;
  }

  /** The code has had its time: it gets what has arrived although it has not gone on. */
  stopWaiting(): void {
    this.#gaveUpAt = this.execution.progress;
  }

  #deliver(incoming: Incoming, now: number): boolean {
    switch (incoming.type) {
      case "attempt_ended":
        return this.#attemptEnded(incoming.attempt, incoming.result, now);
      case "due": {
        const { id, due } = incoming.entry;
        return due !== "attempt" && this.execution.pending.has(id) && this.#tell(due, now, id, null);
      }
      case "mail":
        return this.#readMail(incoming.mail, now);
    }
  }

  #interrupt(step: PendingStep, error: unknown, reason: "owner_lost" | "shutdown"): void {
    const attempt: Attempt = {
      step,
      attempt: step.attempt,
      started: true,
      heardAbort: false,
      interrupt(): void {},
      abort(): void {},
    };
    this.receive({ type: "attempt_ended", attempt, result: { type: "failed", error, reason } });
  }

  #attemptEnded(attempt: Attempt, result: AttemptResult, now: number): boolean {
    const { step } = attempt;
    if (this.execution.pending.get(step.id) !== step || step.attempt !== attempt.attempt) return false;
    if (result.type === "completed") {
      return this.#tell("step_completed", now, step.id, result.value, { value: result.decoded });
    }
    return this.#attemptFailed(attempt, result.error, result.reason, now);
  }

  /** Another attempt, or the end of the step; true if the execution was told. */
  #attemptFailed(
    { step, heardAbort }: Attempt,
    error: unknown,
    reason: RetryRecord["reason"],
    now: number,
  ): boolean {
    const obeyed = heardAbort && reason === "error";
    const verdict = judgeFailure(step, error, reason, now, this.#random);
    const { record: cancelled, finishing } = cancelOf(this.execution);
    if (cancelled !== null && finishing.has(step.id)) {
      const late = verdict.type === "fail" || verdict.record.retryAt >= cancelled.until;
      if (late || obeyed || this.#gaveUp) {
        return this.#tell("step_failed", now, step.id, encodeError(this.#cancellation(error)));
      }
    }
    if (verdict.type === "fail") {
      return this.#tell("step_failed", now, step.id, verdict.error);
    }
    const { record } = verdict;
    const progress = record.reason === "error" || record.reason === "timeout";
    this.#outbox.append("step_retrying", now, step.id, null, encode(record, "retry"), progress);
    applyRetry(step, record);
    this.#dues.add(step.id, record.retryAt);
    return false;
  }

  #readMail(mail: Mail, now: number): boolean {
    const heard = hearingOf(mail.type)?.(this.execution, mail) ?? null;
    this.#mailDone = mail.mailSeq;
    this.#inbox.mailRead();
    if (heard !== null) return this.#tell(heard.type, now, heard.id, heard.data, heard.known);
    if (mail.type !== "cancel_requested" || cancelOf(this.execution).record !== null) return false;
    return this.#cancel(reasonOf(mail.data), now);
  }

  /** Steps that have begun may end, for a time; the rest of what is awaited is given up. */
  #cancel(reason: string | undefined, now: number): boolean {
    const until = now + CANCEL_GRACE;
    const finishing = new Set<string>();
    for (const entry of this.execution.pending.values()) {
      if (!isStep(entry)) continue;
      const inTime = entry.attempt > 1 && (entry.dueAt ?? now) < until;
      if (inTime || this.attempts.get(entry.id)?.started === true) finishing.add(entry.id);
    }
    const error = new WorkflowRunCancelledError(this.runId, reason);
    for (const [id, attempt] of this.attempts) {
      if (finishing.has(id)) attempt.interrupt(error);
      else this.#abort(attempt, error);
    }
    this.#toStart = this.#toStart.filter(({ id }) => finishing.has(id));
    const record: CancelRecord = { reason, finishing: [...finishing], until };
    return this.#tell("run_cancel_requested", now, null, encode(record, "cancel"));
  }

  #abort(attempt: Attempt, reason: unknown): void {
    attempt.abort(reason);
    this.attempts.delete(attempt.step.id);
  }

  /** When the steps that a cancel lets end are given up, or `null`. */
  get #finishingUntil(): number | null {
    const { record, finishing } = cancelOf(this.execution);
    return record === null || finishing.size === 0 || this.#gaveUp ? null : record.until;
  }

  /** The time is over that a cancel gives to steps that had begun. */
  #giveUpFinishing(): void {
    this.#gaveUp = true;
    const error = this.#cancellation();
    const { finishing } = cancelOf(this.execution);
    this.#toStart = this.#toStart.filter(({ id }) => !finishing.has(id));
    for (const id of finishing) {
      const attempt = this.attempts.get(id);
      if (attempt !== undefined) this.#abort(attempt, error);
      const step = this.execution.pending.get(id);
      if (isStep(step)) this.#interrupt(step, error, "shutdown");
    }
  }

  #cancellation(cause?: unknown): WorkflowRunCancelledError {
    if (WorkflowRunCancelledError.is(cause) && cause.runId === this.runId) return cause;
    const error = cancelOf(this.execution).error();
    if (cause !== undefined) error.cause = cause;
    return error;
  }

  /**
   * Writes an event and gives it to the execution; true if the execution has to drain. A run whose last owner was lost gets it
   * when it is durable: if the code that hears it is what ends its workers, the step before it is not executed again and again.
   */
  #tell(type: EventType, now: number, id: string | null, data: Uint8Array | null, known?: Known): boolean {
    const event = this.#outbox.append(type, now, id, null, data);
    if (this.#lostClaims > 0) {
      this.#withheld = { event, known };
      return false;
    }
    this.settled = false;
    deliver(this.execution, event, known);
    return true;
  }

  #nextLease(ttl: number, handOver: boolean, now: number): LeaseChange | null {
    if (this.over) return { type: "finish" };
    if (this.#divergence !== null) {
      const mail = { seq: this.mailSeq, done: this.#mailDone };
      const { lease, patch } = this.#divergence.nextLease(mail, ttl, handOver, now);
      this.#outbox.patch(patch);
      return lease;
    }
    const dueAt = handOver ? now : this.nextDueAt;
    const atOnce = !handOver && dueAt !== null && dueAt <= now;
    return atOnce || !this.#mayPark(handOver) ? { type: "hold", ttl } : { type: "park", dueAt };
  }

  /** Parking needs that nothing is under way here: no attempt, no event to deliver, no answer to wait for. */
  #mayPark(handOver: boolean): boolean {
    if (this.attempts.size > 0 || this.#withheld !== null) return false;
    if (this.#toStart.length > 0 && !handOver) return false;
    if ((this.fetching || this.mailSeq > this.mailRead) && !handOver) return false;
    if (!this.#inbox.isEmpty) return false;
    if (this.execution.requests.length > 0 || this.execution.awaitsAnswer) return false;
    if (this.toBegin) return handOver;
    return !this.execution.stalled || handOver;
  }
}
