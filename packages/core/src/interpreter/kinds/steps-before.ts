import { hash } from "node:crypto";
import type { JournalEvent, NewEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";

/**
 * What a run that goes on for another one knows of the steps of that one from the place on at which it goes on. `step_again`: the
 * step was asked for there, with the event's data as arguments; if the code asks for the same, it is that step, with its id.
 * `step_recorded`: how it ended there, so that its body is not called again.
 */

/** How a step ended in the run before. */
export interface RecordedEnd {
  readonly type: "completed" | "failed";
  readonly data: Uint8Array | null;
}

export interface StepsBefore extends KindState {
  /** The ids of those that the code has not asked for yet, by what is asked, {@link callOf}, and in the order of that run. */
  readonly open: Map<string, string[]>;
  /** What was asked for with each of them. */
  readonly asked: Map<string, string>;
  /** All that were executed there and are not over by that. */
  readonly again: Set<string>;
  readonly ends: Map<string, RecordedEnd>;
  /** Before a replay: the ids of the steps that the journal has, by function. */
  readonly journalled: Map<string, string[]>;
  /** How often the code has called each function. */
  readonly calls: Map<string, number>;
}

const STEPS_BEFORE: StateKey<StepsBefore> = { name: "steps before", make: noneBefore };

/** What the run knows of them; `null` for one that goes on for no other. */
export function stepsBefore(execution: Execution): StepsBefore | null {
  return execution.goesOn ? execution.state(STEPS_BEFORE) : null;
}

function noneBefore(): StepsBefore {
  const [open, asked, ends, journalled, calls] = [new Map(), new Map(), new Map(), new Map(), new Map()];
  return { open, asked, again: new Set(), ends, journalled, calls };
}

/** The id of the next call of a step: that of a call of the run before with the same arguments, if there is one. */
export function nextStepId(
  execution: Execution,
  steps: StepsBefore | null,
  name: string,
  args: Uint8Array | null,
): string {
  const id = execution.nextId("step", name);
  if (steps === null) return id;
  const { open, asked, journalled, calls } = steps;
  const count = calls.get(name) ?? 0;
  calls.set(name, count + 1);
  const known = journalled.get(name)?.[count];
  const call = known === undefined ? callOf(name, args) : (asked.get(known) ?? "");
  const same = open.get(call) ?? [];
  if (known === undefined) return same.shift() ?? execution.ownId("step", name);
  const place = same.indexOf(known);
  if (place >= 0) same.splice(place, 1);
  return known;
}

/** A function and its arguments. */
function callOf(name: string, args: Uint8Array | null): string {
  return `${name}\0${args === null ? "" : hash("sha256", args, "base64url")}`;
}

/** Lets a replay give steps the ids that they got, also where their arguments have changed since. */
export function knowSteps(execution: Execution, events: readonly NewEvent[]): void {
  if (!events.some(({ type }) => type === "run_forked")) return;
  // Before it has heard that it goes on for another run.
  const { journalled } = execution.state(STEPS_BEFORE);
  for (const { type, id, name } of events) {
    if (type !== "step_created" || id === null || name === null) continue;
    const ids = journalled.get(name);
    if (ids === undefined) journalled.set(name, [id]);
    else ids.push(id);
  }
}

/** Hears of a step that was asked for in the run before; `asked`: the code has asked for it already. */
export function noteAgain(steps: StepsBefore, { id, name, data }: NewEvent, asked: boolean): void {
  if (id === null || name === null) return;
  steps.again.add(id);
  if (asked) return;
  const call = callOf(name, data);
  const open = steps.open.get(call);
  if (open === undefined) steps.open.set(call, [id]);
  else open.push(id);
  steps.asked.set(id, call);
}

/** The step was executed in the run before, and the outcome that counts is that of this run. */
export function isExecutedAgain({ again, ends }: StepsBefore, id: string): boolean {
  return again.has(id) && !ends.has(id);
}

/**
 * What a run that has the beginning of a journal has to know of the steps in the rest.
 *
 * @param again those that have failed and are executed again; `null`: of what comes later nothing is kept but the results of
 *   steps in the beginning
 * @param renewed those of them that get other ids
 */
export function stepsIn(
  prefix: readonly JournalEvent[],
  rest: readonly JournalEvent[],
  again: ReadonlySet<string> | null,
  renewed: (id: string) => boolean,
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
    if (id === null || (renewed(id) && !open.has(id))) continue;
    if (again !== null && (type === "step_created" || type === "step_again")) asked.set(id, event);
    if (!ENDS.has(type) || again?.has(id) === true) continue;
    const failed = type === "step_failed" || name === FAILED;
    if (again !== null || (open.has(id) && !failed)) ends.set(id, event);
  }
  return [
    ...[...asked.values()].map(
      ({ at, id, name, data }): NewEvent => ({ type: "step_again", at, id, name, data }),
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
