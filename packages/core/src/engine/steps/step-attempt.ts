import { contexts } from "../../contexts.ts";
import { lengthMs } from "../../define/retry-policy.ts";
import { StepTimeoutError } from "../../errors/index.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { decode, readable, type StreamOutlet } from "../../serialization/index.ts";
import { type Attempt, type AttemptResult, timedOut, unstored } from "./attempt.ts";
import { AttemptContext, type ContextualAttempt } from "./attempt-context.ts";
import type { AttemptHost, StepOwner } from "./attempt-host.ts";
import { measureAttempt, unmeasured } from "./attempt-length.ts";
import { AttemptSignals } from "./attempt-signals.ts";
import { AttemptStreams } from "./attempt-streams.ts";
import { ask, callBody, mustAsk } from "./call-body.ts";
import { persist } from "./persist.ts";
import type { RunningBody } from "./running-bodies.ts";
import type { Slot } from "./slots.ts";
import { interruptedError, stepFacts } from "./step-outcome.ts";
import { resultOf } from "./stored-result.ts";

/**
 * One attempt of a step: it waits until no body of the step runs in this process, then for a slot, then its body runs in
 * a step context. When the attempt is over before its body, the body is detached: what it returns no longer counts here.
 */

export class StepAttempt implements Attempt, ContextualAttempt, StreamOutlet {
  readonly step: PendingStep;
  readonly attempt: number;
  readonly host: AttemptHost;
  readonly owner: StepOwner;
  readonly attributes: StepOwner["attributes"];
  /** Most bodies have no signals, and no streams. */
  #signals: AttemptSignals | null = null;
  #streams: AttemptStreams | null = null;
  #phase: "waiting" | "running" | "over" = "waiting";
  #timedOut = false;
  #startedAt: number | null = null;
  #measure = unmeasured;
  #slot: Slot | null = null;
  #leaveQueue: (() => void) | null = null;
  #cancelTimeout: (() => void) | null = null;
  /** Called when the body has settled after the attempt was over. */
  #onSettled: (() => void) | null = null;

  constructor(host: AttemptHost, step: PendingStep, owner: StepOwner) {
    this.step = step;
    this.attempt = step.attempt;
    this.host = host;
    this.owner = owner;
    this.attributes = owner.attributes;
  }

  get started(): boolean {
    return this.#startedAt !== null;
  }

  get startedAt(): number | null {
    return this.#startedAt;
  }

  get over(): boolean {
    return this.#phase === "over";
  }

  get heardAbort(): boolean {
    return this.#signals?.heard ?? false;
  }

  get signals(): AttemptSignals {
    this.#signals ??= new AttemptSignals({
      runId: this.owner.runId,
      stepId: this.step.id,
      attempt: this.attempt,
      signals: this.owner.signals,
      send: (...message) => persist(this, () => this.host.store.send(...message)),
    });
    return this.#signals;
  }

  get streams(): AttemptStreams {
    this.#streams ??= new AttemptStreams(this, {
      runId: this.owner.runId,
      stepId: this.step.id,
      attempt: this.attempt,
    });
    return this.#streams;
  }

  adopt(stream: ReadableStream | WritableStream): object {
    return this.streams.adopt(stream);
  }

  /** Begins as soon as it can. */
  start(): void {
    const former = this.host.bodies.get(this.step.id);
    if (former === undefined) this.#enqueue();
    else this.#waitFor(former);
  }

  interrupt(reason: unknown): void {
    this.signals.abort(reason);
    this.#streams?.interrupt(reason);
  }

  abort(reason: unknown): void {
    if (this.#phase === "running") this.#measure(null);
    this.#leave();
    this.interrupt(reason);
  }

  /** What the body waits for may need the slot that it has. */
  duringRun<T>(runId: string, ended: Promise<T>): Promise<T> {
    const slot = this.#slot;
    if (slot === null || this.#phase !== "running") return ended;
    const waited = slot.lendDuring(ended);
    this.host.onWaitsForRun(this.step, this.owner, runId);
    return waited;
  }

  /** A body of this step runs already. The attempt's timeout holds for this wait, and anew for its own body. */
  #waitFor({ attempt, settled }: RunningBody): void {
    const { step } = this;
    try {
      this.#limit((ms) => this.#end(timedOut(new StepTimeoutError(stepFacts(step), ms, attempt))));
    } catch (error) {
      queueMicrotask(() => this.#end({ type: "failed", error, reason: "error" }));
      return;
    }
    void settled.then((result) => {
      if (this.over) return;
      this.#cancelTimeout?.();
      if (result !== null) this.#end(result);
      else if (this.host.bodies.has(step.id)) this.start();
      else this.#enqueue();
    });
  }

  #enqueue(): void {
    const { slots } = this.host;
    const slot = slots.take(this.owner.runId);
    if (slot !== null) this.#begin(slot);
    else this.#leaveQueue = slots.queue(this.owner.runId, (free) => this.#begin(free));
  }

  #begin(slot: Slot): void {
    if (this.host.bodies.has(this.step.id)) {
      slot.release();
      this.start();
    } else if (this.owner.mayBegin(this.step)) {
      this.#run(slot);
    } else {
      this.#phase = "over";
      slot.release();
      this.owner.postpone(this.step);
    }
  }

  #run(slot: Slot): void {
    const { host, step } = this;
    this.#phase = "running";
    this.#startedAt = host.clock.now();
    this.#measure = measureAttempt(step, this.owner, host);
    this.#slot = slot;
    const settled = this.#execute().then((result) => {
      host.bodies.delete(step.id);
      this.#end(result);
      if (this.#onSettled === null) slot.release();
      else this.#onSettled();
      return result.type === "completed" && !this.#timedOut && !this.heardAbort ? result : null;
    });
    host.bodies.set(step.id, { attempt: this.attempt, settled });
  }

  /** Tells how the attempt ended, once. */
  #end(result: AttemptResult): void {
    if (this.over) return;
    this.#leave();
    this.#measure(result);
    this.owner.onEnd(this, result);
  }

  /** The attempt is over, its body perhaps not. */
  #leave(): void {
    const phase = this.#phase;
    this.#phase = "over";
    this.#cancelTimeout?.();
    if (phase === "waiting") this.#leaveQueue?.();
    if (phase !== "running" || this.#slot === null || !this.host.bodies.has(this.step.id)) return;
    const { runId, workflow } = this.owner;
    const body = {
      runId,
      workflow,
      step: this.step.definition.id,
      stepId: this.step.id,
      attempt: this.attempt,
      since: new Date(this.#startedAt ?? 0).toISOString(),
    };
    this.#onSettled = this.host.detached.add(body, this.#slot);
  }

  /** Sets the timer of the step's timeout, if it has one. Throws if that is no length of time. */
  #limit(onTime: (ms: number) => void): void {
    const { timeout } = this.step.definition.options;
    if (timeout === undefined) return;
    const { clock } = this.host;
    const ms = lengthMs(timeout, "timeout");
    this.#cancelTimeout = clock.setTimer(clock.now() + ms, () => onTime(ms));
  }

  async #execute(): Promise<AttemptResult> {
    const { step } = this;
    if (step.refusal !== null) return unstored(step.refusal);
    try {
      this.#limit((ms) => {
        this.#timedOut = true;
        const error = new StepTimeoutError(stepFacts(step), ms);
        this.interrupt(error);
        this.#end(timedOut(error));
      });
      return await contexts.run(new AttemptContext(this), () => this.#executeBody());
    } catch (thrown) {
      const error = this.signals.judged(readable(thrown));
      // What it aborted and wrote before it failed is aborted, and stored.
      if (this.#signals?.aborted) await this.#signals.settled().catch(() => {});
      await this.#streams?.failed();
      return { type: "failed", error, reason: "error" };
    } finally {
      this.#signals?.end();
    }
  }

  /** In the context of the step. */
  async #executeBody(): Promise<AttemptResult> {
    const { step } = this;
    const args = decode(step.args) as unknown[];
    let value: unknown;
    if (mustAsk(step)) {
      value = await ask(step, args);
      if (value === undefined && !(this.#phase === "running" && this.owner.mayBegin(step)))
        return { type: "failed", error: interruptedError(step), reason: "shutdown" };
    }
    if (value === undefined) value = await callBody(step, args);
    const stored = resultOf(value, this.owner.largestValue, this);
    const result = stored instanceof Promise ? await stored : stored;
    if (this.#streams !== null) await this.#streams.succeeded();
    if (this.#signals?.aborted) await this.#signals.settled();
    return result;
  }
}
