import type { Clock } from "../clock.ts";
import { ReplayDivergenceError } from "../errors/index.ts";
import { decode } from "../serialization/index.ts";
import type { EventType, JournalEvent } from "../world/index.ts";
import { type Difference, firstDifference } from "./difference.ts";
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

/** A request that a replay made as the journal has it, but for a value that it carries. */
export interface RequestDifference extends Difference {
  readonly runId: string;
  readonly workflow: string;
  /** The request, such as `step_created "charge" (step_…)`. */
  readonly request: string;
  /** Where the code made it. */
  readonly lastCall: string;
}

export interface ReplayOptions {
  readonly clock: Clock;
  /** Whether a difference in a value is a divergence. */
  readonly strict: boolean;
  /** Called for every such difference otherwise. */
  readonly onDifference: (difference: RequestDifference) => void;
}

/**
 * Replays a journal. Requests that the code makes beyond its end stay in `execution.requests`.
 * Throws a `ReplayDivergenceError` when code and journal disagree.
 */
export async function replay(
  execution: Execution,
  events: readonly JournalEvent[],
  options: ReplayOptions,
): Promise<void> {
  const { clock } = options;
  for (const event of events) {
    if (mayHearOfHooks(execution) && execution.deliverRegistrations()) await drain(clock);
    switch (kindOf(event.type)) {
      case "request":
        await untilItGoesOn(execution, event, clock);
        match(execution, event, options);
        break;
      case "delivery":
        // Not waited for: live, the code would not have got it before it had had its time, see engine/stalls.ts.
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
        await untilItGoesOn(execution, event, clock);
        expectEnd(execution, event);
        break;
      case "none":
        break;
    }
  }
  if (mayHearOfHooks(execution) && execution.deliverRegistrations()) await drain(clock);
}

function mayHearOfHooks(execution: Execution): boolean {
  return execution.requests.length === 0 && !execution.awaitsRegistration;
}

/** So often the code is looked at before it counts as not going on: for two seconds at least by the machine's clock. */
const LOOKS = 2000;

/** So many of them are a turn of the event loop apart: most work is over by then. */
const QUICK_LOOKS = 20;

/**
 * Waits while the code has neither asked for anything nor ended although the journal says that it did: it may compute
 * something on another thread, such as a digest, or import a module.
 */
async function untilItGoesOn(execution: Execution, event: JournalEvent, clock: Clock): Promise<void> {
  const since = clock.now();
  for (let looks = 0; execution.requests.length === 0 && !execution.over; looks++) {
    if (looks === LOOKS) throw divergence(execution, event, null, clock.now() - since);
    await (looks < QUICK_LOOKS ? drain(clock) : new Promise<void>((resolve) => clock.pause(resolve)));
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

function match(execution: Execution, event: JournalEvent, options: ReplayOptions): void {
  const request = execution.requests.shift();
  if (request === undefined) throw divergence(execution, event, null);
  const type = event.type === "hook_conflict" ? "hook_created" : event.type;
  const sameName = request.type === "wait_created" || request.name === event.name;
  if (request.type !== type || request.id !== event.id || !sameName) {
    throw divergence(execution, event, request);
  }
  compare(execution, event, request, options);
  execution.journalled(event);
}

/** The journal's values count: a step may have been executed with them. */
function compare(execution: Execution, event: JournalEvent, request: Request, options: ReplayOptions): void {
  const isWait = request.type === "wait_created";
  const difference = isWait
    ? lengthDifference(event, request, options.clock)
    : valueDifference(event, request);
  if (difference === null) return;
  if (options.strict && !isWait) throw divergence(execution, event, request, 0, difference);
  options.onDifference({
    runId: execution.runId,
    workflow: execution.workflow,
    request: describe(request),
    ...difference,
    lastCall: execution.lastCallSite,
  });
}

function valueDifference(event: JournalEvent, request: Request): Difference | null {
  // What the journal keeps of a hook whose token was taken is who has it.
  if (event.type === "hook_conflict") return null;
  return firstDifference(request.type === "step_created" ? "args" : "metadata", event.data, request.data);
}

/** The journal has the end of a sleep and not its length, so both lengths are known to about a second. */
function lengthDifference(event: JournalEvent, request: Request, clock: Clock): Difference | null {
  const [journal, code] = [decode(event.data) as number, decode(request.data) as number];
  if (journal === code) return null;
  const lengths = [journal - event.at, code - clock.now()] as const;
  const notable = Math.max(1_000, ...lengths.map((length) => length / 10));
  if (Math.abs(lengths[0] - lengths[1]) <= notable) return null;
  return { path: "duration", journal: `${lengths[0]} ms`, code: `${lengths[1]} ms` };
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

/** `waited`: how long the code was waited for. `difference`: in a value of the request, which is the journal's else. */
function divergence(
  execution: Execution,
  event: JournalEvent,
  request: Request | null,
  waited = 0,
  difference: Difference | null = null,
): ReplayDivergenceError {
  const { outcome, lastCallSite: site } = execution;
  const asked = request === null ? "" : `${describe(request)}${value(difference, "code")}`;
  const silent = outcome !== null ? `nothing more, it ${outcome.type}` : `nothing yet, after ${waited} ms`;
  return new ReplayDivergenceError({
    runId: execution.runId,
    workflowName: execution.workflow,
    seq: event.seq,
    journal: `${describe(event)}${value(difference, "journal")}`,
    requested:
      request !== null
        ? `${asked}${site === "" ? "" : ` ${site}`}`
        : `${silent}${site === "" || outcome !== null ? "" : `; its last request came ${site}`}`,
  });
}

/** `, args[0].id: a string of 36 characters` */
function value(difference: Difference | null, whose: "journal" | "code"): string {
  return difference === null ? "" : `, ${difference.path}: ${difference[whose]}`;
}

/** `step_created "sendReceipt" (step_…)` */
function describe({ type, name, id }: Pick<JournalEvent, "type" | "name" | "id">): string {
  return `${type}${name === null ? "" : ` "${name}"`}${id === null ? "" : ` (${id})`}`;
}
