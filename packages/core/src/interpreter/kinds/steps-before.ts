import type { JournalEvent, NewEvent } from "../../world/index.ts";
import { firstDifference } from "../difference.ts";
import type { Execution, KindState } from "../execution.ts";

/**
 * What a run that goes on for another one knows of the steps of that one from the place on at which it goes on. `step_again`: the
 * step was asked for there, with the event's data as arguments; if the code asks for it as it did there, it keeps its id.
 * `step_recorded`: how it ended there, so that its body is not called again.
 */

/** How a step ended in the run before. */
export interface RecordedEnd {
  readonly type: "completed" | "failed";
  readonly data: Uint8Array | null;
}

export interface StepsBefore extends KindState {
  /** The arguments of those that keep their ids, by id. */
  readonly args: Map<string, Uint8Array | null>;
  readonly ends: Map<string, RecordedEnd>;
  /** Before a replay: the steps that the journal has. */
  readonly journalled: Set<string>;
}

/** What the run knows of them; `null` for one that goes on for no other. */
export function stepsBefore(execution: Execution): StepsBefore | null {
  return execution.goesOn ? execution.state(noneBefore) : null;
}

function noneBefore(): StepsBefore {
  return { args: new Map(), ends: new Map(), journalled: new Set() };
}

/** The id of the next call of a step: that of the same call in the run before, unless the arguments are others. */
export function nextStepId(
  execution: Execution,
  steps: StepsBefore | null,
  name: string,
  args: Uint8Array | null,
): string {
  const id = execution.nextId("step", name);
  if (steps === null) return id;
  const { args: before, journalled } = steps;
  if (!before.has(id) || journalled.has(id)) return id;
  const own = execution.ownId("step", name);
  const differs = journalled.has(own) || firstDifference("args", before.get(id) ?? null, args) !== null;
  return differs ? own : id;
}

/** Lets a replay give steps the ids that they got, also where their arguments have changed since. */
export function knowSteps(execution: Execution, events: readonly NewEvent[]): void {
  if (!events.some(({ type }) => type === "step_again")) return;
  // Before it has heard that it goes on for another run.
  const { journalled } = execution.state(noneBefore);
  for (const { type, id } of events) if (type === "step_created" && id !== null) journalled.add(id);
}

/** The step was executed in the run before, and the outcome that counts is that of this run. */
export function isExecutedAgain({ args, ends }: StepsBefore, id: string): boolean {
  return args.has(id) && !ends.has(id);
}

/**
 * What a run that has the beginning of a journal has to know of the steps in the rest.
 *
 * @param again those that have failed and are executed again; `null`: of what comes later nothing is kept but the results of
 *   steps in the beginning
 */
export function stepsIn(
  prefix: readonly JournalEvent[],
  rest: readonly JournalEvent[],
  again: ReadonlySet<string> | null,
): NewEvent[] {
  const asked = new Map<string, JournalEvent>();
  const ends = new Map<string, JournalEvent>();
  const open = new Set<string>();
  for (const event of prefix) {
    const { type, id } = event;
    if (id === null) continue;
    if (type === "step_created") {
      open.add(id);
      if (again?.has(id) === true) asked.set(id, event);
    }
    if (ENDS.has(type)) open.delete(id);
  }
  for (const event of rest) {
    const { type, id, name } = event;
    if (id === null) continue;
    if (again !== null && (type === "step_created" || type === "step_again")) asked.set(id, event);
    if (!ENDS.has(type) || again?.has(id) === true) continue;
    const failed = type === "step_failed" || name === FAILED;
    if (open.has(id) ? !failed || again !== null : again !== null) ends.set(id, event);
  }
  return [
    ...[...asked.values()].map(
      ({ at, id, data }): NewEvent => ({ type: "step_again", at, id, name: null, data }),
    ),
    ...[...ends.values()].map(({ type, at, id, name, data }): NewEvent => {
      const failed = type === "step_failed" || name === FAILED;
      return { type: "step_recorded", at, id, name: failed ? FAILED : null, data };
    }),
  ];
}

const ENDS: ReadonlySet<string> = new Set(["step_completed", "step_failed", "step_recorded"]);

/** The name of a `step_recorded` whose step has failed. */
const FAILED = "failed";

/** What a `step_recorded` says. */
export function recordedEnd({ name, data }: Pick<NewEvent, "name" | "data">): RecordedEnd {
  return { type: name === FAILED ? "failed" : "completed", data };
}
