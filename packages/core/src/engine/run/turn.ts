import { childrenOf } from "../../interpreter/children.ts";
import { asWritten, deliver, journalled } from "../../interpreter/events.ts";
import type { Execution } from "../../interpreter/execution.ts";
import { type CancelRecord, cancelOf } from "../../interpreter/kinds/cancel.ts";
import { payloadsLeft } from "../../interpreter/kinds/hook.ts";
import { hearingOf } from "../../interpreter/kinds/index.ts";
import { applyRetry, type PendingStep } from "../../interpreter/kinds/step.ts";
import type { Known } from "../../interpreter/pending.ts";
import { encode } from "../../serialization/index.ts";
import type { CommitEvent, Mail, NameConflict, NewEvent } from "../../world/index.ts";
import type { Attempt } from "../steps/attempt.ts";
import { judgeFailure } from "../steps/step-outcome.ts";
import { type AttemptEnded, Inbox, type Incoming } from "./inbox.ts";
import type { MailCursor } from "./mail-cursor.ts";
import { Outbox, reasonOf } from "./outbox.ts";
import type { RunCancel } from "./run-cancel.ts";
import type { RunSteps } from "./run-steps.ts";
import { type CodeState, codeMachine, type Machine } from "./states.ts";

/** The code's side of a run: what it has to hear, one thing at a time, and what the journal has to hear from it. Knows no lease. */

export interface TurnOptions {
  readonly execution: Execution;
  readonly steps: RunSteps;
  readonly mail: MailCursor;
  readonly cancel: RunCancel;
  readonly random: () => number;
  /**
   * Whether an event is told when it is durable, and not before. For a run whose last owner was lost: if the code that hears
   * it is what ends its workers, the step before it is not executed again and again.
   */
  readonly cautious: () => boolean;
}

export class Turn {
  readonly outbox: Outbox;
  readonly #options: TurnOptions;
  readonly #execution: Execution;
  readonly #inbox: Inbox = new Inbox();
  readonly #machine: Machine<CodeState> = codeMachine();
  #owes = false;
  #withheld: { readonly event: NewEvent; readonly known: Known | undefined } | null = null;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#execution = options.execution;
    this.outbox = new Outbox(options.execution.runId);
  }

  get state(): CodeState {
    return this.#machine.state;
  }

  /** Nothing that the code was told is still running its course. */
  get settled(): boolean {
    return this.state !== "draining";
  }

  /** The workflow has ended, which may not be durable yet: no body begins any more. */
  get over(): boolean {
    return this.state === "over";
  }

  get diverged(): boolean {
    return this.state === "diverged";
  }

  /** Something was told to the run, or asked by it, that has not gone its way. */
  get hasWork(): boolean {
    const { requests, outcome } = this.#execution;
    return !this.#inbox.isEmpty || this.outbox.hasEvents || requests.length > 0 || outcome !== null;
  }

  /** Nothing is on its way to the code, or from it to the journal, so it may wait without being held. */
  get mayRest(): boolean {
    const { requests, awaitsAnswer, stalled } = this.#execution;
    if (this.#withheld !== null || !this.#inbox.isEmpty) return false;
    return requests.length === 0 && !awaitsAnswer && this.state !== "fresh" && !stalled;
  }

  /**
   * As {@link mayRest}, for a run that is given away: another worker calls, or finds, the code where it is. One that has not
   * begun leaves its mail unread.
   */
  get mayLeave(): boolean {
    if (this.state === "fresh") return true;
    const { requests, awaitsAnswer } = this.#execution;
    return this.#withheld === null && this.#inbox.isEmpty && requests.length === 0 && !awaitsAnswer;
  }

  /** There is something to deliver and nothing that forbids it. */
  get deliverable(): boolean {
    const { requests, awaitsAnswer, outcome } = this.#execution;
    return (
      this.state === "settled" &&
      this.#withheld === null &&
      this.#inbox.hasNext(this.#options.steps.busy) &&
      requests.length === 0 &&
      !awaitsAnswer &&
      outcome === null
    );
  }

  /** The run has ended, and the journal says, or may say, what is to be done then. */
  get owes(): boolean {
    return this.#owes;
  }

  /** The end of an attempt waits to be delivered. */
  get hasAttemptEnd(): boolean {
    return this.#inbox.hasAttemptEnd;
  }

  /** The execution was brought to the end of its journal. */
  replayed(): void {
    this.#machine.move("settled");
  }

  /** Calls the workflow function: `run_started`. */
  begin(now: number): void {
    const event = this.outbox.append("run_started", now, null, null, null);
    this.outbox.patch({ status: "running", startedAt: event.at });
    this.#machine.move("draining");
    this.#execution.begin(event.at);
  }

  receive(incoming: Incoming): void {
    this.#inbox.add(incoming);
  }

  /** The worker that executed the step is gone, or gives it up. */
  interrupted(step: PendingStep, error: unknown, reason: "owner_lost" | "shutdown"): void {
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

  /**
   * Delivers one event to the execution; true if it did, so that it has to drain. Throws if it cannot be read here and
   * nothing else is left to do.
   */
  deliverNext(now: number): boolean {
    while (this.deliverable) {
      const incoming = this.#inbox.take(this.#options.steps.busy);
      if (incoming === undefined) return false;
      try {
        if (this.#deliver(incoming, now)) return true;
      } catch (error) {
        if (!this.#inbox.putBack(incoming)) throw error;
      }
    }
    return false;
  }

  /** After a drain: what the code asked for, and how it ended, goes to the outbox. */
  gather(now: number): void {
    if (this.over || this.diverged) return;
    if (this.state === "draining") this.#machine.move("settled");
    const { requests, pending, outcome } = this.#execution;
    for (const request of requests) {
      const event = this.outbox.ask(request, now);
      if (request.answered === true) continue;
      journalled(this.#execution, event);
      const entry = pending.get(request.id);
      if (entry !== undefined) this.#options.steps.await(entry);
    }
    requests.length = 0;
    if (outcome === null) return;
    const left = payloadsLeft(this.#execution);
    if (left !== null) this.outbox.append("payloads_left", now, null, null, encode(left, "left"));
    this.#owes = left !== null || this.#owesChildren() || this.#options.steps.owed;
    this.outbox.end(outcome, cancelOf(this.#execution).record, now);
    this.#machine.move("over");
    this.#options.steps.close();
  }

  /** Events are durable. True if the code was told something that waited for that, so that it has to drain. */
  durable(events: readonly CommitEvent[], conflicts: readonly NameConflict[]): boolean {
    const withheld = this.#withheld;
    if (withheld !== null && events.includes(withheld.event)) {
      this.#withheld = null;
      this.#machine.move("draining");
      deliver(this.#execution, withheld.event, withheld.known);
      return true;
    }
    if (this.#execution.awaitsAnswer) {
      for (const event of events) journalled(this.#execution, asWritten(event, conflicts));
    }
    if (this.diverged || this.over || !this.#execution.deliverAnswers()) return false;
    this.#machine.move("draining");
    return true;
  }

  /**
   * A cancel request met a run that has not begun, or that cannot follow its journal: it ends without running code. What it owes
   * then, if it had begun, is in the journal.
   */
  endCancelled(cancel: Mail, began: boolean, now: number): void {
    const { mail } = this.#options;
    this.#owes = began;
    // What came before it and was not read is looked at when the run has ended: payloads are sent on.
    if (cancel.mailSeq === mail.done + 1) mail.consume(cancel.mailSeq);
    const reason = reasonOf(cancel.data);
    const record: CancelRecord = { reason, finishing: [], until: now };
    this.outbox.append("run_cancel_requested", now, null, null, encode(record, "cancel"));
    this.outbox.endCancelled(reason, now);
    this.#machine.move("over");
  }

  /** No code runs any more. Gives up what was to be delivered, but for requests to look at the run, which have been obeyed. */
  diverge(): void {
    const { mail, steps } = this.#options;
    mail.consume(this.#inbox.clear() ?? mail.done);
    steps.takeStarts();
    this.#withheld = null;
    this.#machine.move("diverged");
    this.#execution.drop();
  }

  /** The run is forgotten here: the execution is dropped where it stands. */
  drop(): void {
    this.#execution.drop();
    this.#inbox.clear();
  }

  #owesChildren(): boolean {
    const { tied, sharing } = childrenOf(this.#execution);
    return tied || (sharing && cancelOf(this.#execution).record !== null);
  }

  #deliver(incoming: Incoming, now: number): boolean {
    switch (incoming.type) {
      case "attempt_ended":
        return this.#attemptEnded(incoming, now);
      case "due": {
        const { id, due } = incoming.entry;
        return due !== "attempt" && this.#execution.pending.has(id) && this.#tell(due, now, id, null);
      }
      case "system_step_ended": {
        const { step, data, failed } = incoming;
        if (this.#execution.pending.get(step.id) !== step) return false;
        return this.#tell(failed ? "system_step_failed" : "system_step_completed", now, step.id, data);
      }
      case "mail":
        return this.#readMail(incoming.mail, now);
    }
  }

  #attemptEnded({ attempt, result }: AttemptEnded, now: number): boolean {
    const { step } = attempt;
    if (this.#execution.pending.get(step.id) !== step || step.attempt !== attempt.attempt) return false;
    if (result.type === "completed") {
      return this.#tell("step_completed", now, step.id, result.value, { value: result.decoded });
    }
    const { cancel, random, steps } = this.#options;
    const verdict = cancel.judge(
      attempt,
      result,
      judgeFailure(step, result.error, result.reason, now, random),
    );
    if (verdict.type === "fail") return this.#tell("step_failed", now, step.id, verdict.error);
    const { record } = verdict;
    const progress = record.reason === "error" || record.reason === "timeout";
    this.outbox.append("step_retrying", now, step.id, null, encode(record, "retry"), progress);
    applyRetry(step, record);
    steps.await(step);
    return false;
  }

  #readMail(mail: Mail, now: number): boolean {
    const heard = hearingOf(mail.type)?.(this.#execution, mail) ?? null;
    this.#options.mail.consume(mail.mailSeq);
    this.#inbox.mailRead();
    if (heard !== null) return this.#tell(heard.type, now, heard.id, heard.data, heard.known);
    const { cancel } = this.#options;
    if (mail.type !== "cancel_requested" || cancel.begun) return false;
    const record = cancel.begin(reasonOf(mail.data), now);
    return this.#tell("run_cancel_requested", now, null, encode(record, "cancel"));
  }

  /** Writes an event and gives it to the execution; true if the execution has to drain. */
  #tell(type: string, now: number, id: string | null, data: Uint8Array | null, known?: Known): boolean {
    const event = this.outbox.append(type, now, id, null, data);
    if (this.#options.cautious()) {
      this.#withheld = { event, known };
      return false;
    }
    this.#machine.move("draining");
    deliver(this.#execution, event, known);
    return true;
  }
}
