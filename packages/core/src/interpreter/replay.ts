import type { Clock } from "../clock.ts";
import { ReplayDivergenceError } from "../errors/index.ts";
import { decode } from "../serialization/index.ts";
import type { EventType, JournalEvent } from "../world/index.ts";
import type { Execution } from "./execution.ts";
import type { PendingStep, Request } from "./pending.ts";

/** Bringing a fresh execution to the end of a journal. Every request of the code is matched with the journal, in order. */

/** `data` of a `step_retrying` event. */
export interface RetryRecord {
  /** The attempt that did not succeed, from 1. */
  readonly attempt: number;
  /** When the next one is due. */
  readonly retryAt: number;
  readonly reason: "error" | "timeout" | "owner_lost" | "shutdown";
  /** The encoded error. */
  readonly error: Uint8Array;
}

/** Runs every microtask that is ready, then one macrotask turn. */
export function drain(clock: Clock): Promise<void> {
  return new Promise((resolve) => clock.turn(resolve));
}

/**
 * Replays a journal. Requests that the code makes beyond its end stay in `execution.requests`.
 * Throws a `ReplayDivergenceError` when code and journal disagree.
 */
export async function replay(
  execution: Execution,
  events: readonly JournalEvent[],
  clock: Clock,
): Promise<void> {
  for (const event of events) {
    if (
      execution.requests.length === 0 &&
      !execution.awaitsRegistration &&
      execution.deliverRegistrations()
    ) {
      await drain(clock);
    }
    switch (kindOf(event.type)) {
      case "request":
        match(execution, event);
        break;
      case "delivery":
        expectNoRequest(execution, event);
        execution.deliver(event);
        await drain(clock);
        break;
      case "begin":
        execution.begin(event.at);
        await drain(clock);
        break;
      case "retry":
        noteRetry(execution, event);
        break;
      case "end":
        expectEnd(execution, event);
        break;
      case "none":
        break;
    }
  }
  if (execution.requests.length === 0 && !execution.awaitsRegistration && execution.deliverRegistrations()) {
    await drain(clock);
  }
}

type EventKind = "request" | "delivery" | "begin" | "retry" | "end" | "none";

function kindOf(type: EventType): EventKind {
  switch (type) {
    case "step_created":
    case "wait_created":
    case "hook_created":
    case "hook_conflict":
    case "hook_disposed":
      return "request";
    case "step_completed":
    case "step_failed":
    case "wait_completed":
    case "hook_received":
    case "run_cancel_requested":
      return "delivery";
    case "run_started":
      return "begin";
    case "step_retrying":
      return "retry";
    case "run_completed":
    case "run_failed":
    case "run_cancelled":
      return "end";
    case "run_created":
      return "none";
    default:
      // Written by a newer version of this package: parked like a divergence, until this worker is updated.
      throw new TypeError(
        `The journal holds an event of unknown type: ${JSON.stringify(type satisfies never)}.`,
      );
  }
}

function match(execution: Execution, event: JournalEvent): void {
  const request = execution.requests.shift();
  if (request === undefined) throw divergence(execution, event, null);
  const type = event.type === "hook_conflict" ? "hook_created" : event.type;
  const sameName = request.type === "wait_created" || request.name === event.name;
  if (request.type !== type || request.id !== event.id || !sameName) {
    throw divergence(execution, event, request);
  }
  execution.journalled(event);
}

function expectNoRequest(execution: Execution, event: JournalEvent): void {
  const request = execution.requests[0];
  if (request !== undefined) throw divergence(execution, event, request);
  if (execution.outcome !== null) throw divergence(execution, event, null);
}

function expectEnd(execution: Execution, event: JournalEvent): void {
  const request = execution.requests[0];
  if (request !== undefined || execution.outcome === null) {
    throw divergence(execution, event, request ?? null);
  }
}

function noteRetry(execution: Execution, event: JournalEvent): void {
  const step = execution.pending.get(event.id as string);
  if (step?.kind === "step") applyRetry(step, decode(event.data) as RetryRecord);
}

/** The attempt of the record is over; the next one comes at `retryAt`. */
export function applyRetry(step: PendingStep, record: RetryRecord): void {
  step.attempt = record.attempt + 1;
  step.retryAt = record.retryAt;
  if (record.reason === "error" || record.reason === "timeout") step.failures++;
}

function divergence(
  execution: Execution,
  event: JournalEvent,
  request: Request | null,
): ReplayDivergenceError {
  const site = execution.lastCallSite;
  const requested =
    request !== null
      ? `${describe(request)}${site === "" ? "" : ` ${site}`}`
      : execution.outcome !== null
        ? `nothing more, it ${execution.outcome.type}`
        : `nothing more${site === "" ? "" : `; its last request came ${site}`}`;
  return new ReplayDivergenceError({
    runId: execution.runId,
    workflowName: execution.workflow,
    seq: event.seq,
    journal: describe(event),
    requested,
  });
}

/** `step_created "sendReceipt" (step_…)` */
function describe({ type, name, id }: Pick<JournalEvent, "type" | "name" | "id">): string {
  return `${type}${name === null ? "" : ` "${name}"`}${id === null ? "" : ` (${id})`}`;
}
