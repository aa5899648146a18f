import { asWritten, deliver, journalled } from "../../interpreter/events.ts";
import type { Execution } from "../../interpreter/execution.ts";
import { cancelOf, TERMINATE } from "../../interpreter/kinds/cancel.ts";
import type { Heard } from "../../interpreter/kinds/kind.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import type { Known } from "../../interpreter/pending.ts";
import type { CommitEvent, JournalEvent, Mail, NameConflict, NewEvent } from "../../world/index.ts";
import { lostAttempt } from "../steps/attempt.ts";
import type { AttemptParts } from "./attempt-end.ts";
import { heardOf } from "./hearing.ts";
import { Inbox, type Incoming } from "./inbox.ts";
import { writeDebts, writeDebtsOf } from "./last-debts.ts";
import { nextGeneration } from "./next-generation.ts";
import { Outbox, reasonOf } from "./outbox.ts";
import { type CodeState, codeMachine, type Machine } from "./states.ts";
import type { TurnOptions } from "./turn-options.ts";

/** The code's side of a run: what it has to hear, one thing at a time, and what the journal has to hear from it. Knows no lease. */

export class Turn {
  readonly outbox: Outbox;
  readonly #options: TurnOptions;
  readonly #execution: Execution;
  readonly #inbox: Inbox = new Inbox();
  readonly #parts: AttemptParts;
  readonly #machine: Machine<CodeState> = codeMachine();
  #withheld: { readonly event: NewEvent; readonly known: Known | undefined } | null = null;

  constructor(options: TurnOptions) {
    this.#options = options;
    this.#execution = options.execution;
    this.outbox = new Outbox(options.execution.runId);
    this.#parts = { ...options, outbox: this.outbox, receive: (later) => this.receive(later) };
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

  /** Nothing is on its way to the code, or from it to the journal, nor its end, so it may wait without being held. */
  get mayRest(): boolean {
    const { stalled, outcome } = this.#execution;
    return this.#quiet && this.#inbox.isEmpty && this.state !== "fresh" && !stalled && outcome === null;
  }

  /** As {@link mayRest}, for a run that is given away: another worker finds the code where it is, or begins it and its mail. */
  get mayLeave(): boolean {
    return this.state === "fresh" || (this.#quiet && this.#inbox.heardElsewhere);
  }

  /** There is something to deliver and nothing that forbids it. */
  get deliverable(): boolean {
    if (this.terminated) return true;
    if (this.state !== "settled" || !this.#quiet || this.#execution.outcome !== null) return false;
    return this.#inbox.hasNext(this.#options.steps.busy);
  }

  /** The run is to end without its code, whatever that is doing. */
  get terminated(): boolean {
    return this.state === "settled" && this.#inbox.terminated;
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
    const first = this.#execution.generation === 0;
    this.outbox.patch({ status: "running", ...(first && { startedAt: event.at }) });
    this.#machine.move("draining");
    this.#execution.begin(event.at);
  }

  receive(incoming: Incoming): void {
    this.#inbox.add(incoming);
  }

  /** The worker that executed the step is gone, or gives it up. */
  interrupted(step: PendingStep, error: unknown, reason: "owner_lost" | "shutdown"): void {
    const result = { type: "failed", error, reason } as const;
    this.receive({ type: "attempt_ended", attempt: lostAttempt(step), result });
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
    const { record } = cancelOf(this.#execution);
    if (outcome.type === "continued" && record === null) {
      // What the next generation inherits is known when the store has answered, and it knows nothing of system steps.
      const { system } = this.#options.steps;
      if (this.#execution.awaitsAnswer || system.busy || system.waiting) return;
      this.outbox.beginAnew(nextGeneration(this.#execution, outcome.args, now));
      this.#machine.move("over");
      this.#options.steps.close();
      return;
    }
    writeDebts(this.outbox, this.#execution, this.#options.steps, now);
    if (record !== null || outcome.type === "continued") this.outbox.endCancelled(record?.reason, now);
    else if (outcome.type === "cancelled") this.outbox.endCancelled(outcome.reason, now);
    else this.outbox.end(outcome, now);
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

  /** It ends where it stands, without its code. `journal`: of a run that has begun and whose code does not follow it; else `null`. */
  endCancelled(mail: Mail, began: boolean, journal: readonly JournalEvent[] | null, now: number): void {
    const { execution, steps } = this.#options;
    if (began || execution.generation > 0) {
      if (journal === null) writeDebts(this.outbox, execution, steps, now);
      else writeDebtsOf(this.outbox, journal, now);
      this.outbox.owe();
    }
    this.outbox.endUnheard(reasonOf(mail.data), now);
    this.#machine.move("over");
  }

  /** No code runs any more. Gives up what was to be delivered, but for requests to look at the run, which have been obeyed. */
  diverge(): void {
    const { mail, steps } = this.#options;
    mail.consume(this.#inbox.clear() ?? mail.done);
    steps.stop();
    this.#withheld = null;
    this.#machine.move("diverged");
    this.#execution.drop();
  }

  /** The run is forgotten here: the execution is dropped where it stands. */
  drop(): void {
    this.#execution.drop();
    this.#inbox.clear();
  }

  /** Whatever the code asked for is in the journal, and it has heard what is. */
  get #quiet(): boolean {
    const { requests, awaitsAnswer, hasAnswers } = this.#execution;
    return this.#withheld === null && requests.length === 0 && !awaitsAnswer && !hasAnswers;
  }

  #deliver(incoming: Incoming, now: number): boolean {
    if (incoming.type === "mail" && incoming.mail.type === TERMINATE) {
      this.#terminate(incoming.mail, now);
      return false;
    }
    const heard = heardOf(incoming, this.#parts, now);
    if (incoming.type === "mail") {
      this.#options.mail.consume(incoming.mail.mailSeq);
      this.#inbox.mailRead();
    }
    return heard !== null && this.#tell(heard, now);
  }

  /** Ends the run where its code stands; what it asked for since it was told something is not done, and its mail stays unread. */
  #terminate(mail: Mail, now: number): void {
    this.#withheld = null;
    writeDebts(this.outbox, this.#execution, this.#options.steps, now);
    this.#execution.drop();
    this.#options.steps.close();
    this.outbox.owe();
    this.outbox.endUnheard(reasonOf(mail.data), now);
    this.#machine.move("over");
  }

  /** Writes an event and gives it to the execution; true if the execution has to drain. */
  #tell(heard: Heard, now: number): boolean {
    const { known, patch } = heard;
    if (patch !== undefined) this.outbox.patch(patch);
    const event = this.outbox.tell(heard, now);
    if (this.#options.cautious()) {
      this.#withheld = { event, known };
      return false;
    }
    this.#machine.move("draining");
    deliver(this.#execution, event, known);
    return true;
  }
}
