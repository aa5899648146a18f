import { isShielded } from "../../contexts.ts";
import { decode, decodeError, encode, storable } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import { type Deferred, deferred, rejected } from "../deferred.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import type { Pending } from "../pending.ts";
import { readAhead } from "../read-ahead.ts";
import type { Kind, OwedStep } from "./kind.ts";

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
  const id = execution.nextId("sys", name);
  let encoded: Uint8Array | null;
  try {
    encoded = storable(
      encode(input(id, execution.ownerOf("sys", name)), "input"),
      "input",
      execution.largestValue,
    );
  } catch (error) {
    return rejected(error);
  }
  const step: PendingSystemStep = {
    id,
    due: "system_step",
    name,
    input: encoded,
    dueAt: null,
    result: deferred(),
    shielded: isShielded(),
  };
  execution.pending.set(id, step);
  unansweredOf(execution).names.set(id, name);
  execution.request({ type: "system_step_created", id, name, data: encoded });
  return step.result.promise as Promise<T>;
}

/** Whether what the run waits for is a system step. */
export function isSystemStep(entry: Pending | undefined): entry is PendingSystemStep {
  return entry?.due === "system_step";
}

/** Whether an event of the journal is the call of the system step of this name. */
export function isCallOf({ type, name }: Pick<NewEvent, "type" | "name">, step: string): boolean {
  return type === "system_step_created" && name === step;
}

export const systemStepKind: Kind = {
  events: {
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
      deliver(execution, event, known) {
        const value = known === undefined ? decode(event.data) : known.value;
        unansweredOf(execution).names.delete(event.id ?? "");
        execution.settle(event.id)?.result.resolve(value);
      },
    },
    system_step_failed: {
      role: "delivery",
      ends: true,
      failure: true,
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
