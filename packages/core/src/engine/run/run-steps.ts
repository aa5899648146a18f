import type { Execution } from "../../interpreter/execution.ts";
import { regainsLocks } from "../../interpreter/kinds/lock.ts";
import { isStep, type PendingStep } from "../../interpreter/kinds/step.ts";
import { isSystemStep, unansweredSystemSteps } from "../../interpreter/kinds/system-step.ts";
import type { Pending } from "../../interpreter/pending.ts";
import type { Attempt } from "../steps/attempt.ts";
import type { StepOwner } from "../steps/attempt-host.ts";
import type { FailureFences } from "../steps/failure-fences.ts";
import { systemStepOf } from "../system-steps/index.ts";
import { Dues } from "./dues.ts";
import { RunSystemSteps } from "./run-system-steps.ts";

/** The steps of a run that may start, those that are under way, and when the next one, or a sleep, is due. */
export class RunSteps {
  /** Attempts that are queued or under way, by step id. */
  readonly attempts: Map<string, Attempt> = new Map();
  /** The run, as its attempts see it; made with the first. */
  owner: StepOwner | null = null;
  readonly system: RunSystemSteps;
  readonly fences: FailureFences;
  readonly #execution: Execution;
  #toStart: PendingStep[] = [];
  #dues: Dues;

  constructor(execution: Execution, fences: FailureFences) {
    this.fences = fences;
    this.#execution = execution;
    this.system = new RunSystemSteps(execution);
    this.#dues = new Dues(execution.pending);
  }

  /** Attempts are queued or under way, or one has failed and its failure waits for what must stand before it. */
  get busy(): boolean {
    return this.attempts.size > 0 || this.fences.busy;
  }

  /** A step may start. */
  get waiting(): boolean {
    return this.#toStart.length > 0 && !regainsLocks(this.#execution);
  }

  /** A system step has no result that is owed although the run ends. */
  get owed(): boolean {
    return [...unansweredSystemSteps(this.#execution)].some((name) => systemStepOf(name).owed);
  }

  /** When a sleep ends or an attempt is due next, or `null`. */
  get nextDueAt(): number | null {
    return this.#dues.next;
  }

  /** The journal has it: the engine acts when it is due. */
  await(entry: Pending): void {
    if (entry.dueAt !== null) this.#dues.add(entry.id, entry.dueAt);
    else if (isStep(entry)) this.#toStart.push(entry);
    else if (isSystemStep(entry)) this.system.add(entry);
  }

  /**
   * After a replay, or when a parked run is ours again: everything unfinished is awaited. Gives the steps that are due and that
   * another owner may have been executing.
   */
  schedule(begun: (stepId: string) => boolean, now: number): readonly PendingStep[] {
    this.#dues = new Dues(this.#execution.pending);
    this.#toStart = [];
    this.system.clear();
    const unwritten = new Set(this.#execution.requests.map(({ id }) => id));
    const interrupted: PendingStep[] = [];
    for (const entry of this.#execution.pending.values()) {
      // Asked for at the end of the replay, so the journal has yet to hear of it.
      if (unwritten.has(entry.id)) continue;
      if (isStep(entry) && isDue(entry, now) && begun(entry.id)) interrupted.push(entry);
      else this.await(entry);
    }
    return interrupted;
  }

  /** Moves attempts that are due to those that may start, and gives what else is due. */
  takeDue(now: number): readonly Pending[] {
    const others: Pending[] = [];
    for (let due = this.#dues.take(now); due !== undefined; due = this.#dues.take(now)) {
      if (isStep(due)) this.#toStart.push(due);
      else others.push(due);
    }
    return others;
  }

  /** Takes those that may start, but for those whose `step_created` is not written yet. */
  takeStarts(unwritten?: ReadonlySet<string | null>): readonly PendingStep[] {
    const starts = this.#toStart;
    if (starts.length === 0 || regainsLocks(this.#execution)) return [];
    if (unwritten === undefined) {
      this.#toStart = [];
      return starts;
    }
    this.#toStart = starts.filter(({ id }) => unwritten.has(id));
    return starts.filter(({ id }) => !unwritten.has(id));
  }

  /** The step may not start yet: it is among those that may. */
  postpone(step: PendingStep): void {
    this.#toStart.push(step);
  }

  /** Only these may start. */
  startOnly(which: (step: PendingStep) => boolean): void {
    this.#toStart = this.#toStart.filter(which);
  }

  abort(attempt: Attempt, reason: unknown): void {
    attempt.abort(reason);
    this.attempts.delete(attempt.step.id);
  }

  /** Gives up attempts: those that wait for a slot, or all. Gives those whose body had begun. */
  giveUp(which: "queued" | "all", reason: unknown): readonly PendingStep[] {
    const given = [...this.attempts.values()].filter(({ started }) => !started || which === "all");
    for (const attempt of given) this.abort(attempt, reason);
    return given.filter(({ started }) => started).map(({ step }) => step);
  }

  /** The run is another's, or forgotten. */
  abandon(reason: unknown): void {
    for (const attempt of [...this.attempts.values()]) this.abort(attempt, reason);
    this.fences.giveUp();
  }

  /** No code runs any more that could hear of anything. */
  stop(): void {
    this.#toStart = [];
    this.fences.giveUp();
  }

  /** No body begins any more. Attempts that are under way learn of it when the end is durable. */
  close(): void {
    this.stop();
    for (const attempt of this.attempts.values()) if (!attempt.started) attempt.abort(undefined);
  }
}

/** Its body may have been under way. */
function isDue({ dueAt }: PendingStep, now: number): boolean {
  return (dueAt ?? now) <= now;
}
