import { isShielded } from "../../contexts.ts";
import { checkStepProperties } from "../../define/retry-policy.ts";
import type { StepDefinition } from "../../define/step-definition.ts";
import { SerializationError } from "../../errors/input.ts";
import {
  afterReading,
  decode,
  decodeError,
  encode,
  storable,
  UnreadBody,
} from "../../serialization/index.ts";
import { type Deferred, deferred } from "../deferred.ts";
import { firstDifference } from "../difference.ts";
import type { Execution } from "../execution.ts";
import { endedBefore, type Pending } from "../pending.ts";
import { cancelOf } from "./cancel.ts";
import type { Kind } from "./kind.ts";
import {
  isExecutedAgain,
  keptIn,
  nextRequest,
  noteAgain,
  noteEnd,
  requestsBefore,
  STEPS,
  sameBefore,
} from "./requests-before.ts";

/**
 * Steps: `step_created`, any number of `step_retrying`, then `step_completed` or `step_failed`. The end of an attempt has for its name when
 * the attempt's body was called, so that who reads the journal can tell waiting from work.
 */

/** The name of the event that ends an attempt; `null` where it is not known when the body was called, or where it was not. */
export function beganAt(startedAt: number | null): string | null {
  return startedAt === null ? null : String(Math.round(startedAt));
}

/** A step between its `step_created` and its end. */
export interface PendingStep extends Pending {
  readonly due: "attempt";
  readonly definition: StepDefinition;
  readonly thisArg: unknown;
  /** Encoded; the journal's once the step is in it. */
  args: Uint8Array | null;
  /** Why its arguments cannot be stored, so that it fails without an attempt; else `null`. */
  readonly refusal: unknown;
  /** Time of `step_created`; 0 until it is journalled. */
  createdAt: number;
  /** When its first attempt began, as far as that is known; `null` before that. */
  startedAt: number | null;
  /** The attempt that is under way or comes next, from 1. */
  attempt: number;
  /** Attempts that threw or ran out of time. */
  failures: number;
  /** It was executed in the run that this one goes on for, and has to be again: it may have done what it is for. */
  failedBefore: boolean;
  /** When the next attempt is due, after a `step_retrying`; else `null`. */
  dueAt: number | null;
  readonly result: Deferred<unknown>;
}

/** `data` of a `step_retrying` event. */
export interface RetryRecord {
  /** The attempt that did not succeed, from 1. */
  readonly attempt: number;
  /** When the first one began; where that was not seen, when the step was created. */
  readonly startedAt: number;
  /** When the next one is due. */
  readonly retryAt: number;
  readonly reason: "error" | "timeout" | "owner_lost" | "shutdown";
  /** The encoded error. */
  readonly error: Uint8Array;
}

/** A workflow calls a step. */
export function callStep(
  execution: Execution,
  definition: StepDefinition,
  thisArg: unknown,
  args: unknown[],
): Promise<unknown> {
  if (execution.over) return new Promise(() => {});
  let encoded: Uint8Array | null = null;
  let refusal: unknown = null;
  try {
    checkStepProperties(definition.id, definition.options);
    encoded = storable(encode(args, "args"), "args", execution.largestValue);
  } catch (error) {
    if (error instanceof UnreadBody) {
      return afterReading(error, () => callStep(execution, definition, thisArg, args));
    }
    refusal = SerializationError.is(error) ? unstorable(error) : error;
  }
  const before = requestsBefore(execution);
  const next = before === null ? null : nextRequest(execution, before, STEPS, definition.id);
  const same =
    next === null || before === null ? undefined : sameBefore(before, STEPS, next, definition.id, encoded);
  const id = (same ?? next)?.id ?? execution.nextId("step", definition.id);
  const step: PendingStep = {
    id,
    due: "attempt",
    definition,
    thisArg,
    args: encoded,
    refusal,
    createdAt: 0,
    startedAt: null,
    attempt: 1,
    failures: 0,
    failedBefore: before !== null && isExecutedAgain(before, id),
    dueAt: null,
    result: deferred(),
    shielded: isShielded(),
  };
  const recorded = before?.ends.get(id);
  execution.pending.set(id, recorded === undefined ? step : endedBefore(step, recorded));
  const request = { type: "step_created", id, name: definition.id, data: encoded };
  execution.request(recorded === undefined || same === undefined ? request : { ...request, at: same.at });
  return step.result.promise;
}

/** Says of what the workflow catches that it was the step's arguments which could not be stored. */
function unstorable(cause: SerializationError): SerializationError {
  const error = new SerializationError(cause.path, "cannot be stored.", { cause });
  error.message = `Failed to serialize step arguments: ${cause.message}`;
  return error;
}

/** Whether what the run waits for is a step. */
export function isStep(entry: Pending | undefined): entry is PendingStep {
  return entry?.due === "attempt";
}

/** The attempt of the record is over; the next one comes at `retryAt`. */
export function applyRetry(step: PendingStep, record: RetryRecord): void {
  step.attempt = record.attempt + 1;
  step.startedAt = record.startedAt;
  step.dueAt = record.retryAt;
  if (record.reason === "error" || record.reason === "timeout") step.failures++;
}

export const stepKind: Kind = {
  before: (past) => keptIn(past, STEPS),
  events: {
    step_created: {
      role: "request",
      counted: { as: "step", byName: true },
      strict: true,
      journalled(execution, event) {
        const step = execution.pending.get(event.id ?? "");
        if (!isStep(step)) return;
        step.args = event.data;
        step.createdAt = event.at;
      },
      difference: (event, request) => firstDifference("args", event.data, request.data),
    },
    step_retrying: {
      role: "note",
      ofAttempt: true,
      note(execution, event) {
        const step = execution.pending.get(event.id ?? "");
        if (isStep(step)) applyRetry(step, decode(event.data) as RetryRecord);
      },
    },
    // See requests-before.ts.
    step_again: {
      role: "note",
      note(execution, event) {
        const step = execution.pending.get(event.id ?? "");
        const before = requestsBefore(execution);
        if (before !== null) noteAgain(before, STEPS, event, isStep(step));
        if (isStep(step)) step.failedBefore = true;
      },
    },
    step_recorded: {
      role: "note",
      note(execution, event) {
        const before = requestsBefore(execution);
        const step = execution.pending.get(event.id ?? "");
        if (before === null) return;
        const end = noteEnd(before, STEPS, event);
        if (isStep(step)) execution.pending.set(step.id, endedBefore(step, end));
      },
    },
    step_completed: {
      role: "delivery",
      ends: true,
      deliver(execution, event, known) {
        const step = execution.settle(event.id);
        if (step === undefined) return;
        const cancel = cancelOf(execution);
        if (cancel.finishing.delete(step.id)) step.result.reject(cancel.error());
        else step.result.resolve(known === undefined ? decode(event.data) : known.value);
      },
    },
    step_failed: {
      role: "delivery",
      ends: true,
      failure: ({ id }) => ({ of: id ?? "" }),
      deliver(execution, event) {
        const step = execution.settle(event.id);
        cancelOf(execution).finishing.delete(event.id ?? "");
        step?.result.reject(decodeError(event.data as Uint8Array));
      },
    },
  },
};
