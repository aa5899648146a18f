import type { Execution } from "../../interpreter/execution.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { PendingSystemStep } from "../../interpreter/kinds/system-step.ts";
import type { LeaseChange, Mail, RunCommit } from "../../world/index.ts";
import type { FailureFences } from "../steps/failure-fences.ts";
import { interruptedError } from "../steps/step-outcome.ts";
import type { CommitTerms, Committed } from "./commit-terms.ts";
import { DivergedRun, encodeDivergence } from "./divergence.ts";
import { MailCursor } from "./mail-cursor.ts";
import { RunCancel } from "./run-cancel.ts";
import { type LeasedRow, type Moment, RunLease } from "./run-lease.ts";
import { RunSteps } from "./run-steps.ts";
import { Turn } from "./turn.ts";

/**
 * One run in this worker's memory: its lease, its code, its steps and its mail, and the commits in which they meet. Pure
 * bookkeeping; the worker's loops decide when each method is called.
 */

/** A commit on its way, with what to do when it is durable. */
export interface OutgoingCommit {
  readonly run: LiveRun;
  readonly request: RunCommit;
  /** Steps whose bodies may start then. */
  readonly steps: readonly PendingStep[];
  readonly systemSteps: readonly PendingSystemStep[];
  /** When the lease runs out if it is held, in monotonic time. */
  readonly leaseUntil: number;
}

export interface LiveRunOptions {
  readonly runId: string;
  readonly workflow: string;
  readonly execution: Execution;
  readonly random: () => number;
  readonly fences: FailureFences;
}

export class LiveRun {
  readonly runId: string;
  readonly workflow: string;
  readonly execution: Execution;
  readonly lease: RunLease;
  readonly mail: MailCursor = new MailCursor();
  readonly steps: RunSteps;
  readonly turn: Turn;
  readonly #cancel: RunCancel;
  #divergence: DivergedRun | null = null;
  /** Where {@link stopWaiting} was called last. */
  #gaveUpAt = -1;

  constructor({ runId, workflow, execution, random, fences }: LiveRunOptions) {
    this.runId = runId;
    this.workflow = workflow;
    this.execution = execution;
    const lease = new RunLease(runId);
    this.lease = lease;
    this.steps = new RunSteps(execution, fences);
    const { steps, mail } = this;
    const cancel = new RunCancel(execution, steps);
    this.#cancel = cancel;
    this.turn = new Turn({ execution, steps, mail, cancel, random, cautious: () => lease.lostClaims > 0 });
  }

  /** The run is ours, its execution at the end of the journal or not begun. `lastAt`: time of the last event. */
  hold(row: LeasedRow & { readonly mailSeq: number; readonly mailDone: number }, lastAt: number): void {
    this.lease.hold(row);
    this.mail.reset(row.mailDone, row.mailSeq);
    this.turn.outbox.notBefore(lastAt);
  }

  /** What is unfinished is awaited. Steps that another owner may have been executing count as an attempt. */
  schedule(begun: (stepId: string) => boolean, now: number): void {
    for (const step of this.steps.schedule(begun, now)) {
      this.turn.interrupted(step, interruptedError(step), "owner_lost");
    }
  }

  /** The run was parked as diverged and follows its journal again, or has yet to begin. */
  clearDivergence(began: boolean): void {
    this.turn.outbox.patch({ status: began ? "running" : "pending", error: null });
  }

  /** A poisoned run is tried again, at once and alone. */
  forgive(lostClaims: number): void {
    this.turn.outbox.patch({ lostClaims });
  }

  receiveMail(mail: readonly Mail[]): void {
    for (const message of this.mail.take(mail)) {
      if (!this.turn.diverged) this.turn.receive({ type: "mail", mail: message });
    }
  }

  /** Moves what has become due: sleeps to what is delivered, steps to those that start. */
  wake(now: number): void {
    if ((this.#cancel.until ?? Number.POSITIVE_INFINITY) <= now) {
      for (const step of this.#cancel.giveUp()) {
        this.turn.interrupted(step, this.#cancel.error(), "shutdown");
      }
    }
    for (const entry of this.steps.takeDue(now)) this.turn.receive({ type: "due", entry });
  }

  /** When {@link wake} has something to do next, or `null`. */
  get nextDueAt(): number | null {
    if (this.#divergence !== null) return this.lease.committing ? null : this.#divergence.dueAt;
    const { until } = this.#cancel;
    const due = this.steps.nextDueAt;
    return until === null ? due : Math.min(due ?? until, until);
  }

  /** There is something to deliver and nothing that forbids it. */
  get deliverable(): boolean {
    if (!this.lease.held || this.lease.leaving || !this.turn.deliverable) return false;
    return this.turn.terminated || !this.working;
  }

  /** Something waits here for a tick or a commit. */
  get hasWork(): boolean {
    return this.turn.hasWork || this.steps.waiting || this.steps.system.waiting;
  }

  /** After a drain: what the code asked for, and how it ended, is ready for the next commit. */
  gather(now: number): void {
    this.#divergence?.look(now);
    if (this.lease.held) this.turn.gather(now);
  }

  /** Steps whose attempt may start without a commit: the journal has them already. */
  takeRestarts(): readonly PendingStep[] {
    const { outbox, over } = this.turn;
    if (this.lease.state !== "held" || outbox.hasEvents || over || !this.steps.waiting) return [];
    return this.steps.takeStarts();
  }

  /** The same for system steps. */
  takeSystemRestarts(): readonly PendingSystemStep[] {
    const { outbox, over } = this.turn;
    if (this.lease.state !== "held" || outbox.hasEvents || over || !this.steps.system.waiting) return [];
    return this.steps.system.take();
  }

  /** The next commit, or `null` if there is nothing to say. */
  nextCommit({ now, elapsed }: Moment, { ttl, handOver, limit }: CommitTerms): OutgoingCommit | null {
    const { lease, turn, mail } = this;
    if (lease.state !== "held" || !turn.settled) return null;
    const last = this.#nextLease(ttl, handOver, now);
    if (last === null || (turn.outbox.isEmpty && last.type === "hold")) return null;
    if (lease.lostClaims > 0 && turn.outbox.hasProgress) turn.outbox.patch({ lostClaims: 0 });
    const { events, patch, whole, restart } = turn.outbox.take(limit);
    const change: LeaseChange = whole ? last : { type: "hold", ttl };
    const request = {
      ...lease.id,
      seq: lease.seq,
      restart,
      events,
      mailDone: mail.done,
      run: patch,
      lease: change,
    };
    const unwritten = whole ? undefined : turn.outbox.ids();
    const starts = this.steps.takeStarts(unwritten);
    const systemSteps = this.steps.system.take(unwritten);
    lease.beginCommit(change, elapsed);
    const steps = change.type === "hold" ? starts : [];
    return { run: this, request, steps, systemSteps, leaseUntil: elapsed + ttl };
  }

  /** The commit is durable. True if the execution was told something and has to drain. */
  committed({ request, leaseUntil }: OutgoingCommit, result: Committed): boolean {
    const { events, lease: change } = request;
    this.lease.committed(request, leaseUntil);
    this.mail.note(result.mailSeq);
    if (this.lease.ended) this.#forget(undefined);
    return change.type === "hold" && this.turn.durable(events, result.conflicts);
  }

  /** The store will never take what the run has to say: it is parked with the refusal. False if even that was refused. */
  refused(error: unknown, retryAt: number): boolean {
    if (!this.lease.committing || this.turn.diverged) return false;
    this.lease.commitRefused();
    this.turn.outbox.discard();
    this.diverge(error, retryAt, true);
    return true;
  }

  /**
   * Code and journal do not agree, or something cannot be read here: no code runs any more, and the run is parked until
   * `retryAt`. While it has messages, which would make it due at once, its lease is kept instead; a new message ends that.
   */
  diverge(error: unknown, retryAt: number, lost: boolean): void {
    const interrupted = lost || this.steps.busy || this.turn.hasAttemptEnd;
    this.#divergence = new DivergedRun(encodeDivergence(error, interrupted), retryAt);
    this.turn.diverge();
  }

  /** Gives up attempts, so that another worker can go on at once. Those whose body has begun are counted. */
  giveUpAttempts(which: "queued" | "all", reason: unknown): void {
    for (const step of this.steps.giveUp(which, reason)) {
      this.turn.interrupted(step, interruptedError(step), "shutdown");
    }
  }

  /** Forgets the run: attempts are aborted, the execution is dropped where it stands. */
  end(reason?: unknown): void {
    if (this.lease.ended) return;
    this.lease.end();
    this.#forget(reason);
  }

  /** The code is busy with something that the journal knows nothing of, and may go on without being told anything. */
  get working(): boolean {
    if (!this.lease.held || !this.execution.stalled || this.#gaveUpAt === this.execution.progress)
      return false;
    return this.turn.state === "settled" || this.turn.state === "draining";
  }

  /** The code has had its time: it gets what has arrived although it has not gone on. */
  stopWaiting(): void {
    this.#gaveUpAt = this.execution.progress;
  }

  #forget(reason: unknown): void {
    this.steps.abandon(reason);
    this.turn.drop();
  }

  #nextLease(ttl: number, handOver: boolean, now: number): LeaseChange | null {
    if (this.turn.over) return { type: "park", dueAt: this.turn.outbox.leavesWork ? now : null };
    if (this.#divergence !== null) {
      const mail = { seq: this.mail.known, done: this.mail.done };
      const { lease, patch } = this.#divergence.nextLease(mail, ttl, handOver, now);
      this.turn.outbox.patch(patch);
      return lease;
    }
    const dueAt = handOver ? now : this.nextDueAt;
    return this.#mayPark(handOver, now) ? { type: "park", dueAt } : { type: "hold", ttl };
  }

  /** Parking needs that nothing is under way here: no attempt, no event to deliver, no answer to wait for. */
  #mayPark(handOver: boolean, now: number): boolean {
    if (this.steps.busy || this.steps.system.busy) return false;
    if (handOver) return this.turn.mayLeave;
    const dueLater = (this.nextDueAt ?? Number.POSITIVE_INFINITY) > now;
    const starts = this.steps.waiting || this.steps.system.waiting;
    return dueLater && !starts && this.mail.complete && this.turn.mayRest;
  }
}
