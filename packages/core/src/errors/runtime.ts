/**
 * Errors of the runtime itself: what is missing in this process, what the journal says otherwise, and the store.
 */
import { defineKind, isKind, WorkflowError, type WorkflowErrorOptions } from "./base.ts";
import { WorkflowWorldError, type WorkflowWorldErrorOptions } from "./stores.ts";

/** The runtime cannot go on with a run, for a reason that is not an error of the user's code. */
export class WorkflowRuntimeError extends WorkflowError {
  static override is(value: unknown): value is WorkflowRuntimeError {
    return isKind(value, "RUNTIME_ERROR");
  }
}
defineKind(WorkflowRuntimeError, "RUNTIME_ERROR");

/** This process has no workflow of this name. */
export class WorkflowNotRegisteredError extends WorkflowRuntimeError {
  readonly workflowName: string;

  constructor(workflowName: string) {
    super(
      `Workflow "${workflowName}" is not registered in this process. Import the module that defines it, and check that ` +
        `the function begins with "use workflow" and that its file went through the compiler.`,
    );
    this.workflowName = workflowName;
  }

  static override is(value: unknown): value is WorkflowNotRegisteredError {
    return isKind(value, "WORKFLOW_NOT_REGISTERED");
  }
}
defineKind(WorkflowNotRegisteredError, "WORKFLOW_NOT_REGISTERED");

/** Where a replay left its journal. */
export interface Divergence {
  readonly runId: string;
  readonly workflowName: string;
  /** The journal's position, counted as the journal counts. */
  readonly seq: number;
  /** What the journal has there, in words: `step "sendReceipt"`. */
  readonly journal: string;
  /** What the code asked for, in words: `sleep`. */
  readonly requested: string;
}

/** The workflow's code asked for something else than what its journal says it did. */
export class ReplayDivergenceError extends WorkflowRuntimeError {
  readonly runId: string;
  readonly seq: number;
  /** What the journal has there, in words. */
  readonly journal: string;
  /** What the code asked for, in words. */
  readonly requested: string;

  constructor({ runId, workflowName, seq, journal, requested }: Divergence) {
    super(
      `Run "${runId}" of workflow "${workflowName}" no longer follows its journal at event ${seq}:\n` +
        `  - the journal has:    ${journal}\n` +
        `  + the code asked for: ${requested}\n` +
        `The workflow's code was changed while the run was under way, it is not deterministic, or it waits for something that is ` +
        `not durable. Nothing is lost: the ` +
        `run is parked, and goes on when code is deployed that makes the same calls in the same order up to here.`,
    );
    this.runId = runId;
    this.seq = seq;
    this.journal = journal;
    this.requested = requested;
  }

  static override is(value: unknown): value is ReplayDivergenceError {
    return isKind(value, "REPLAY_DIVERGENCE");
  }
}
defineKind(ReplayDivergenceError, "REPLAY_DIVERGENCE");

/** The store does not give back what was written of this run. It is parked as `diverged`; `cause` is what the store says. */
export class DamagedRunError extends WorkflowRuntimeError {
  readonly runId: string;

  constructor(runId: string, damage: string, options: WorkflowErrorOptions = {}) {
    super(
      `What the store has of run "${runId}" is damaged: ${damage}. The run is parked and nothing of it is executed; other ` +
        "runs go on. Restore the store from a backup, or mend the rows, and call run.retry().",
      options,
    );
    this.runId = runId;
  }

  static override is(value: unknown): value is DamagedRunError {
    return isKind(value, "RUN_DAMAGED");
  }
}
defineKind(DamagedRunError, "RUN_DAMAGED");

/** What is known of a poisoned run. */
export interface Poison {
  readonly runId: string;
  readonly workflowName: string;
  readonly lostClaims: number;
  /** The last message that the run had when it was parked. */
  readonly mailSeq: number;
  /** In words: `step "charge" (step_…)`. */
  readonly underWay: string;
}

/**
 * Every worker that executed this run ended, or stood still, before the run got any further. It is parked as `diverged` and
 * executed no more until `run.retry()` is called.
 */
export class PoisonedRunError extends WorkflowRuntimeError {
  readonly runId: string;
  readonly lostClaims: number;
  /** The last message that the run had when it was parked. */
  readonly mailSeq: number;

  constructor({ runId, workflowName, lostClaims, mailSeq, underWay }: Poison) {
    super(
      `Run "${runId}" of workflow "${workflowName}" has lost ${lostClaims} workers in a row without getting any further: each ` +
        `of them ended, or its event loop was blocked, with this under way: ${underWay}. Nothing is lost: the run is parked. ` +
        "Look for what ends the process there (exit, memory, an endless loop), deploy the mended code, then call run.retry().",
    );
    this.runId = runId;
    this.lostClaims = lostClaims;
    this.mailSeq = mailSeq;
  }

  static override is(value: unknown): value is PoisonedRunError {
    return isKind(value, "RUN_POISONED");
  }
}
defineKind(PoisonedRunError, "RUN_POISONED");

/** Options of a {@link WorldError}. */
export interface WorldErrorOptions extends WorkflowWorldErrorOptions {
  /** See {@link WorldError.damaged}. */
  damaged?: boolean;
}

/** The store behind the World failed or could not be reached. Retryable unless the adapter says otherwise. */
export class WorldError extends WorkflowWorldError {
  /** The store answers, and what it has of the run is not what was written: that run is at fault, and others go on. */
  readonly damaged: boolean;

  /** @param message what was attempted, on which store, and what mends it */
  constructor(message: string, options: WorldErrorOptions = {}) {
    super(message, options);
    this.damaged = options.damaged ?? false;
  }

  static override is(value: unknown): value is WorldError {
    return isKind(value, "WORLD_ERROR");
  }
}
defineKind(WorldError, "WORLD_ERROR");

/** Another worker has taken this run over; what this one still had to say about it is discarded. */
export class LeaseLostError extends WorkflowError {
  readonly runId: string;
  readonly epoch: number;

  constructor(runId: string, epoch: number) {
    super(
      `The lease of run "${runId}" under epoch ${epoch} was lost; the worker that has it now continues the run.`,
    );
    this.runId = runId;
    this.epoch = epoch;
  }

  static override is(value: unknown): value is LeaseLostError {
    return isKind(value, "LEASE_LOST");
  }
}
defineKind(LeaseLostError, "LEASE_LOST");
