/**
 * Errors of stores and deployments that the Workflow SDK knows. Of stores this package has one, `WorldError`, and throws none of the
 * others: code that asks for them loads, and is told no.
 */

import { defineKind, isKind, isNamed, WorkflowError, type WorkflowErrorOptions } from "./base.ts";
import type { ErrorCode } from "./codes.ts";

/** Options of {@link WorkflowWorldError}. */
export interface WorkflowWorldErrorOptions extends WorkflowErrorOptions {
  /** What a store that is asked by HTTP answered. */
  status?: number;
  url?: string;
  /** When to ask again, in seconds. */
  retryAfter?: number;
}

/** The store failed. Every `WorldError` is one. */
export class WorkflowWorldError extends WorkflowError {
  declare readonly status?: number;
  declare readonly url?: string;
  declare readonly retryAfter?: number;

  constructor(message: string, { status, url, retryAfter, ...options }: WorkflowWorldErrorOptions = {}) {
    super(message, options);
    Object.assign(this, known({ status, url, retryAfter }));
  }

  static override is(value: unknown): value is WorkflowWorldError {
    return isOf(value, "WORKFLOW_WORLD_ERROR", "WorkflowWorldError");
  }
}
defineKind(WorkflowWorldError, "WORKFLOW_WORLD_ERROR");

/** What is to be written is there already. */
export class EntityConflictError extends WorkflowWorldError {
  static override is(value: unknown): value is EntityConflictError {
    return isOf(value, "ENTITY_CONFLICT", "EntityConflictError");
  }
}
defineKind(EntityConflictError, "ENTITY_CONFLICT");

/** Options of {@link PreconditionFailedError}. */
export interface PreconditionFailedErrorOptions extends WorkflowWorldErrorOptions {
  details?: unknown;
}

/** Somebody else has written meanwhile. */
export class PreconditionFailedError extends WorkflowWorldError {
  declare readonly details?: unknown;

  constructor(message: string, { details, ...options }: PreconditionFailedErrorOptions = {}) {
    super(message, options);
    Object.assign(this, known({ details }));
  }

  static override is(value: unknown): value is PreconditionFailedError {
    return isOf(value, "PRECONDITION_FAILED", "PreconditionFailedError");
  }
}
defineKind(PreconditionFailedError, "PRECONDITION_FAILED");

/** The run is not kept any more. */
export class RunExpiredError extends WorkflowWorldError {
  static override is(value: unknown): value is RunExpiredError {
    return isOf(value, "RUN_EXPIRED", "RunExpiredError");
  }
}
defineKind(RunExpiredError, "RUN_EXPIRED");

/** The store takes no more requests for now. */
export class ThrottleError extends WorkflowWorldError {
  static override is(value: unknown): value is ThrottleError {
    return isOf(value, "THROTTLED", "ThrottleError");
  }
}
defineKind(ThrottleError, "THROTTLED");

/** It is too early for what was asked. */
export class TooEarlyError extends WorkflowWorldError {
  static override is(value: unknown): value is TooEarlyError {
    return isOf(value, "TOO_EARLY", "TooEarlyError");
  }
}
defineKind(TooEarlyError, "TOO_EARLY");

/** A stream of a run could not be read or written. */
export class StreamError extends WorkflowError {
  static override is(value: unknown): value is StreamError {
    return isOf(value, "STREAM_ERROR", "StreamError");
  }
}
defineKind(StreamError, "STREAM_ERROR");

/** The run was started by a newer version: it is parked as diverged until its worker is updated. */
export class RunNotSupportedError extends WorkflowError {
  /** The engine that the run's journal was begun by. */
  readonly runSpecVersion: number;
  /** The engine of this process. */
  readonly worldSpecVersion: number;

  constructor(runSpecVersion: number, worldSpecVersion: number) {
    super(
      `The run was started by a version of perdure with the engine ${runSpecVersion}, and this one has the engine ${worldSpecVersion}. Update it.`,
    );
    this.runSpecVersion = runSpecVersion;
    this.worldSpecVersion = worldSpecVersion;
  }

  static override is(value: unknown): value is RunNotSupportedError {
    return isOf(value, "RUN_NOT_SUPPORTED", "RunNotSupportedError");
  }
}
defineKind(RunNotSupportedError, "RUN_NOT_SUPPORTED");

/** This process has no step of this name. */
export class StepNotRegisteredError extends WorkflowError {
  readonly stepName: string;

  constructor(stepName: string) {
    super(`Step "${stepName}" is not registered in this process. Import the module that defines it.`);
    this.stepName = stepName;
  }

  static override is(value: unknown): value is StepNotRegisteredError {
    return isOf(value, "STEP_NOT_REGISTERED", "StepNotRegisteredError");
  }
}
defineKind(StepNotRegisteredError, "STEP_NOT_REGISTERED");

/** One of this class, or an error of the same name of the Workflow SDK. */
function isOf(value: unknown, code: ErrorCode, name: string): boolean {
  return isKind(value, code) || isNamed(value, name);
}

function known(properties: object): object {
  return Object.fromEntries(Object.entries(properties).filter(([, value]) => value !== undefined));
}
