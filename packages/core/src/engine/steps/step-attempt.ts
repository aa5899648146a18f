import { contexts } from "../../contexts.ts";
import { lengthMs } from "../../define/retry-policy.ts";
import { StepTimeoutError } from "../../errors/index.ts";
import type { PendingStep } from "../../interpreter/kinds/step.ts";
import { decode, readable } from "../../serialization/index.ts";
import { type Attempt, type AttemptResult, timedOut, unstored } from "./attempt.ts";
import { AttemptContext } from "./attempt-context.ts";
import type { AttemptHost, AttemptListener, StepOwner } from "./attempt-host.ts";
import { measureAttempt, unmeasured } from "./attempt-length.ts";
import { AttemptSignals } from "./attempt-signals.ts";
import { AttemptStreams } from "./attempt-streams.ts";
import { callBody } from "./call-body.ts";
import type { RunningBody } from "./running-bodies.ts";
import type { Slot } from "./slots.ts";
import { interruptedError, stepFacts } from "./step-outcome.ts";

/**
 * One attempt of a step: it waits until no body of the step runs in this process, then for a slot, then its body runs in
 * a step context. When the attempt is over before its body, the body is detached: what it returns no longer counts here.
 */

export class StepAttempt implements Attempt {
  readonly step: PendingStep;
  readonly attempt: number;
  readonly #host: AttemptHost;
  readonly #owner: StepOwner;
  readonly #listener: AttemptListener;
  readonly #signals: AttemptSignals;
  #streams: AttemptStreams | null = null;
  #phase: "waiting" | "running" | "over" = "waiting";
  #timedOut = false;
  #startedAt: number | null = null;
  #measure = unmeasured;
  #slot: Slot | null = null;
  #leaveQueue: () => void = () => {};
  #cancelTimeout: () => void = () => {};
  /** Called when the body has settled. */
  #onSettled: () => void = () => {};

  constructor(host: AttemptHost, step: PendingStep, owner: StepOwner, listener: AttemptListener) {
    this.#host = host;
    this.step = step;
    this.attempt = step.attempt;
    this.#owner = owner;
    this.#listener = listener;
    const { runId, signals } = owner;
    this.#signals = new AttemptSignals({
      runId,
      stepId: step.id,
      attempt: step.attempt,
      signals,
      send: host.store.send,
    });
  }

  get started(): boolean {
    return this.#startedAt !== null;
  }

  get startedAt(): number | null {
    return this.#startedAt;
  }

  get heardAbort(): boolean {
    return this.#signals.heard;
  }

  /** Begins as soon as it can. */
  start(): void {
    const former = this.#host.bodies.get(this.step.id);
    if (former === undefined) this.#enqueue(false);
    else this.#waitFor(former);
  }

  interrupt(reason: unknown): void {
    this.#signals.abort(reason);
    this.#streams?.interrupt(reason);
  }

  abort(reason: unknown): void {
    if (this.#phase === "running") this.#measure(null);
    this.#leave();
    this.interrupt(reason);
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
      if (this.#phase === "over") return;
      this.#cancelTimeout();
      if (result !== null) this.#end(result);
      else if (this.#host.bodies.has(step.id)) this.start();
      else this.#enqueue(true);
    });
  }

  #enqueue(waited: boolean): void {
    let late = waited;
    this.#leaveQueue = this.#host.slots.request(this.#owner.runId, (slot) => {
      this.#begin(slot, late);
    });
    late = true;
  }

  #begin(slot: Slot, late: boolean): void {
    if (this.#host.bodies.has(this.step.id)) {
      slot.release();
      this.start();
    } else if (late && !this.#listener.mayBegin()) {
      this.#phase = "over";
      slot.release();
      this.#listener.onPostponed();
    } else {
      this.#run(slot);
    }
  }

  #run(slot: Slot): void {
    const { bodies, clock } = this.#host;
    this.#phase = "running";
    this.#startedAt = clock.now();
    this.#measure = measureAttempt(this.step, this.#owner, this.#host);
    this.#slot = slot;
    this.#onSettled = () => slot.release();
    const settled = this.#execute().then((result) => {
      bodies.delete(this.step.id);
      this.#end(result);
      this.#onSettled();
      const usable = result.type === "completed" && !this.#timedOut && !this.#signals.heard;
      return usable ? result : null;
    });
    bodies.set(this.step.id, { attempt: this.attempt, settled });
  }

  /** Tells how the attempt ended, once. */
  #end(result: AttemptResult): void {
    if (this.#phase === "over") return;
    this.#leave();
    this.#measure(result);
    this.#listener.onEnd(result);
  }

  /** The attempt is over, its body perhaps not. */
  #leave(): void {
    const phase = this.#phase;
    this.#phase = "over";
    this.#cancelTimeout();
    if (phase === "waiting") this.#leaveQueue();
    if (phase !== "running" || this.#slot === null || !this.#host.bodies.has(this.step.id)) return;
    const { runId, workflow } = this.#owner;
    const body = {
      runId,
      workflow,
      step: this.step.definition.id,
      stepId: this.step.id,
      attempt: this.attempt,
      since: new Date(this.#startedAt ?? 0).toISOString(),
    };
    this.#onSettled = this.#host.detached.add(body, this.#slot);
  }

  /** Sets the timer of the step's timeout, if it has one. Throws if that is no length of time. */
  #limit(onTime: (ms: number) => void): void {
    const { timeout } = this.step.definition.options;
    if (timeout === undefined) return;
    const { clock } = this.#host;
    const ms = lengthMs(timeout, "timeout");
    this.#cancelTimeout = clock.setTimer(clock.now() + ms, () => onTime(ms));
  }

  async #execute(): Promise<AttemptResult> {
    const { step } = this;
    const { runId, metadata, largestValue, headers } = this.#owner;
    const signals = this.#signals;
    const streams = new AttemptStreams(this.#host, { runId, stepId: step.id, attempt: this.attempt });
    this.#streams = streams;
    const context = new AttemptContext({
      pending: step,
      attempt: this.attempt,
      startedAt: this.#startedAt ?? 0,
      signals,
      workflow: metadata,
      headers,
      duringRun: (runId, ended) => this.#duringRun(runId, ended),
      world: this.#host.world,
      logger: this.#host.logger,
      streams,
      store: this.#host.store,
      isOver: () => this.#phase === "over",
    });
    if (step.refusal !== null) return unstored(step.refusal);
    if (step.recorded !== null) return { type: "completed", value: step.recorded.value };
    try {
      this.#limit((ms) => {
        this.#timedOut = true;
        const error = new StepTimeoutError(stepFacts(step), ms);
        this.interrupt(error);
        this.#end(timedOut(error));
      });
      const mayBegin = (): boolean => this.#phase === "running" && this.#listener.mayBegin();
      return await contexts.run(context, async () => {
        const called = await callBody(step, decode(step.args) as unknown[], mayBegin);
        if (called === null) return { type: "failed", error: interruptedError(step), reason: "shutdown" };
        const stored = streams.succeeded(called.value, largestValue);
        const result = stored instanceof Promise ? await stored : stored;
        if (signals.aborted) await signals.settled();
        return result;
      });
    } catch (thrown) {
      const error = signals.judged(readable(thrown));
      // What it aborted and wrote before it failed is aborted, and stored.
      if (signals.aborted) await signals.settled().catch(() => {});
      if (streams.written) await streams.failed();
      return { type: "failed", error, reason: "error" };
    } finally {
      signals.end();
    }
  }

  /** What the body waits for may need the slot that it has. */
  #duringRun<T>(runId: string, ended: Promise<T>): Promise<T> {
    const slot = this.#slot;
    if (slot === null || this.#phase !== "running") return ended;
    const waited = slot.lendDuring(ended);
    this.#host.onWaitsForRun(this.step, this.#owner, runId);
    return waited;
  }
}
