import { isShielded } from "../../contexts.ts";
import { decode, decodeError, encode, storable } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import { type Deferred, deferred, rejected } from "../deferred.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import { endedBefore, type Pending } from "../pending.ts";
import { readAhead } from "../read-ahead.ts";
import type { Kind, OwedStep } from "./kind.ts";
import { askedOf, failedRunIn } from "./other-runs.ts";
import {
  type KeptKind,
  keptIn,
  nextRequest,
  noteAgain,
  noteEnd,
  requestsBefore,
  sameBefore,
} from "./requests-before.ts";

/**
 * System steps: steps whose bodies are the engine's, such as the start of a child. `system_step_created`, then
 * `system_step_completed` or `system_step_failed`. What they do to the store is idempotent: it is done once the journal has
 * the request, and again after a crash, until the journal has its result.
 */

/** A system step between its `system_step_created` and its end. */
export interface PendingSystemStep extends Pending {
  readonly due: "system_step";
  /** Which one: see `engine/system-steps`. */
  readonly name: string;
  /** What it is asked, encoded; the journal's once the step is in it. */
  input: Uint8Array | null;
  readonly result: Deferred<unknown>;
}

/** The system steps that an execution has asked for and whose result it has not been told, their names by id. */
interface Unanswered extends KindState {
  readonly names: Map<string, string>;
}

function unansweredOf(execution: Execution): Unanswered {
  return execution.state(UNANSWERED);
}

const UNANSWERED: StateKey<Unanswered> = { name: "system steps", make: noneUnanswered };

function noneUnanswered(): Unanswered {
  return { names: new Map() };
}

/** The names of the system steps without a result, those included that a cancel interrupted. */
export function unansweredSystemSteps(execution: Execution): Iterable<string> {
  return execution.known(UNANSWERED)?.names.values() ?? [];
}

/** The type of the message that completes a system step which waits for one; its data is the result. */
export const SYSTEM_STEP_RESULT = "system_step_result";

/** The type of the message that fails it; its data is the encoded error. */
export const SYSTEM_STEP_FAILURE = "system_step_failure";

/** A workflow calls a system step. `input` is given the step's id, from which it makes ids of its own, and the run that it is of. */
export function callSystemStep<T>(
  execution: Execution,
  name: string,
  input: (id: string, runId: string) => unknown,
): Promise<T> {
  if (execution.over) return new Promise(() => {});
  const before = requestsBefore(execution);
  const next = nextRequest(execution, before, SYSTEM_STEPS, name);
  let data: Uint8Array | null;
  try {
    const asked = input(next.id, execution.ownerOf("sys", name));
    data = storable(encode(asked, "input"), "input", execution.largestValue);
  } catch (error) {
    return rejected(error);
  }
  const same = before === null ? undefined : sameBefore(before, SYSTEM_STEPS, next, name, data);
  const { id } = same ?? next;
  // With the ids that it had: so what it does to the store is done once.
  if (same !== undefined) data = same.data;
  const step: PendingSystemStep = {
    id,
    due: "system_step",
    name,
    input: data,
    dueAt: null,
    result: deferred(),
    shielded: isShielded(),
  };
  const recorded = before?.ends.get(id);
  execution.pending.set(id, recorded === undefined ? step : endedBefore(step, recorded));
  unansweredOf(execution).names.set(id, name);
  const at = recorded === undefined ? undefined : same?.at;
  execution.request({ type: "system_step_created", id, name, data, ...(at !== undefined && { at }) });
  return step.result.promise as Promise<T>;
}

/** Whether what the run waits for is a system step. */
export function isSystemStep(entry: Pending | undefined): entry is PendingSystemStep {
  return entry?.due === "system_step";
}

/** Locks are the run's own: it acquires them anew. */
const OWN: ReadonlySet<string> = new Set(["acquire_lock", "admit_run", "release_lock"]);

/** A lock was waited for that would never have been free: it may be by now. */
function isDeadlock(name: string | null | undefined, data: Uint8Array | null): boolean {
  return name === "acquire_lock" && Object.hasOwn(decode(data) as object, "deadlock");
}

/** How system steps of a run are known in one that goes on for it. */
export const SYSTEM_STEPS: KeptKind = { type: "system_step", as: "sys", asks: askedOf };

/** Whether an event of the journal is the call of the system step of this name. */
export function isCallOf({ type, name }: Pick<NewEvent, "type" | "name">, step: string): boolean {
  return type === "system_step_created" && name === step;
}

export const systemStepKind: Kind = {
  before(past) {
    // Of one that does something else, those that are under way are done by both: they are idempotent.
    if (past.again === null) return [];
    const own = new Set<string | null>();
    for (const { type, id, name } of [...past.prefix, ...past.rest]) {
      if (type === "system_step_created" && OWN.has(name ?? "")) own.add(id);
    }
    return keptIn(past, SYSTEM_STEPS).filter(({ id }) => !own.has(id));
  },
  events: {
    system_step_again: {
      role: "note",
      note(execution, event) {
        const before = requestsBefore(execution);
        const isAsked = isSystemStep(execution.pending.get(event.id ?? ""));
        if (before !== null) noteAgain(before, SYSTEM_STEPS, event, isAsked);
      },
    },
    system_step_recorded: {
      role: "note",
      note(execution, event) {
        const before = requestsBefore(execution);
        const step = execution.pending.get(event.id ?? "");
        if (before === null) return;
        const end = noteEnd(before, SYSTEM_STEPS, event);
        if (isSystemStep(step)) execution.pending.set(step.id, endedBefore(step, end));
      },
    },
    system_step_created: {
      role: "request",
      counted: { as: "sys", byName: true },
      strict: true,
      journalled(execution, event) {
        const step = execution.pending.get(event.id ?? "");
        if (isSystemStep(step)) step.input = event.data;
      },
      difference: (event, request) => firstDifference("input", event.data, request.data),
    },
    system_step_completed: {
      role: "delivery",
      ends: true,
      failure(event, request) {
        const failed = failedRunIn(request?.name, event.data);
        if (failed !== null) return { of: failed };
        return isDeadlock(request?.name, event.data) ? { of: event.id ?? "" } : null;
      },
      deliver(execution, event, known) {
        const value = known === undefined ? decode(event.data) : known.value;
        unansweredOf(execution).names.delete(event.id ?? "");
        execution.settle(event.id)?.result.resolve(value);
      },
    },
    system_step_failed: {
      role: "delivery",
      ends: true,
      failure: ({ id }) => ({ of: id ?? "" }),
      deliver(execution, event) {
        unansweredOf(execution).names.delete(event.id ?? "");
        execution.settle(event.id)?.result.reject(decodeError(event.data as Uint8Array));
      },
    },
  },
  owes({ journal }) {
    const open = new Map<string, OwedStep>();
    for (const { type, id, name, data } of journal) {
      if (id === null) continue;
      if (type === "system_step_created" && name !== null) open.set(id, { id, name, input: decode(data) });
      if (type === "system_step_completed" || type === "system_step_failed") open.delete(id);
    }
    return { steps: [...open.values()] };
  },
  messages: {
    [SYSTEM_STEP_RESULT](execution, { id, data }) {
      if (id === null || !isSystemStep(execution.pending.get(id))) return null;
      return { type: "system_step_completed", id, data, ...readAhead(data) };
    },
    [SYSTEM_STEP_FAILURE](execution, { id, data }) {
      if (id === null || !isSystemStep(execution.pending.get(id))) return null;
      return { type: "system_step_failed", id, data };
    },
  },
};
