import type { Clock } from "../clock.ts";
import { ReplayDivergenceError } from "../errors/index.ts";
import type { JournalEvent } from "../world/index.ts";
import type { Difference } from "./difference.ts";
import { deliver, noted } from "./events.ts";
import type { Execution } from "./execution.ts";
import { roleOf } from "./kinds/index.ts";
import type { RequestRole } from "./kinds/kind.ts";
import { describeRequest as describe, type Request } from "./pending.ts";

/** Bringing a fresh execution to the end of a journal. Every request of the code is matched with the journal, in order. */

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
  execution.replaying = true;
  for (const event of events) {
    execution.reaches(event.seq - 1);
    if (mayHearAnswers(execution) && execution.deliverAnswers()) await drain(clock);
    execution.reaches(event.seq);
    const role = roleOf(event.type);
    switch (role.role) {
      case "request":
        if (isIdle(execution)) await untilItGoesOn(execution, event, clock);
        match(execution, event, role, options);
        break;
      case "delivery":
        // Not waited for: live, the code would not have got it before it had had its time, see engine/stalls.ts.
        if (role.endsCode?.(event) === true) execution.requests.length = 0;
        else expectNoRequest(execution, event);
        deliver(execution, event);
        await drain(clock);
        break;
      case "begin":
        execution.begin(event.at);
        await drain(clock);
        break;
      case "note":
        noted(execution, event);
        break;
      case "end":
        if (isIdle(execution)) await untilItGoesOn(execution, event, clock);
        expectEnd(execution, event);
        break;
      case "last":
      case "nothing":
        break;
    }
  }
  if (mayHearAnswers(execution) && execution.deliverAnswers()) await drain(clock);
  // What comes now is in no journal yet.
  execution.reaches(Number.POSITIVE_INFINITY);
  execution.replaying = false;
}

function mayHearAnswers(execution: Execution): boolean {
  return execution.requests.length === 0 && !execution.awaitsAnswer;
}

/** The code has neither asked for anything nor ended. */
function isIdle(execution: Execution): boolean {
  return execution.requests.length === 0 && !execution.over;
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
  for (let looks = 0; isIdle(execution); looks++) {
    if (looks === LOOKS) throw divergence(execution, event, null, clock.now() - since);
    await (looks < QUICK_LOOKS ? drain(clock) : new Promise<void>((resolve) => clock.pause(resolve)));
  }
}

function match(execution: Execution, event: JournalEvent, role: RequestRole, options: ReplayOptions): void {
  const request = execution.requests.shift();
  if (request === undefined) throw divergence(execution, event, null);
  const type = role.answers ?? event.type;
  if (request.type !== type || request.id !== event.id || request.name !== event.name) {
    throw divergence(execution, event, request);
  }
  compare(execution, event, request, role, options);
  role.journalled(execution, event);
}

/** The journal's values count: a step may have been executed with them. */
function compare(
  execution: Execution,
  event: JournalEvent,
  request: Request,
  role: RequestRole,
  options: ReplayOptions,
): void {
  const difference = role.difference(event, request, options.clock.now());
  if (difference === null) return;
  if (options.strict && role.strict) throw divergence(execution, event, request, 0, difference);
  options.onDifference({
    runId: execution.runId,
    workflow: execution.workflow,
    request: describe(request),
    ...difference,
    lastCall: execution.lastCall,
  });
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

/** `waited`: how long the code was waited for. `difference`: in a value of the request, which is the journal's else. */
function divergence(
  execution: Execution,
  event: JournalEvent,
  request: Request | null,
  waited = 0,
  difference: Difference | null = null,
): ReplayDivergenceError {
  const { outcome, lastCall: site } = execution;
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
