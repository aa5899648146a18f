import { RunNotSupportedError } from "../../errors/index.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { NewEvent } from "../../world/index.ts";
import type { Origin } from "../identity.ts";
import type { Kind } from "./kind.ts";

/** The run itself: `run_created` by whoever starts it, `run_started` with its execution, and its end. */

/**
 * The version of the rules by which a journal is told to the code: above all the order of deliveries. It is the `id` of each
 * `run_created`, so that a journal that was begun under other rules is replayed by those. There has been one so far.
 */
const ENGINE_VERSION = "1";

/** How a journal begins. */
export function runCreated(workflow: string, args: Uint8Array | null, at: number): NewEvent {
  return { type: "run_created", at, id: ENGINE_VERSION, name: workflow, data: args };
}

/** The run goes on from where another one was, whose id is the event's. */
export function runForked(origin: Origin, at: number): NewEvent {
  return { type: "run_forked", at, id: origin.runId, name: null, data: encode(origin, "origin") };
}

/** From where a run with this journal goes on, if it does. */
export function originOf(journal: readonly NewEvent[]): Origin | null {
  const forked = journal.find(({ type }) => type === "run_forked");
  return forked === undefined ? null : (decode(forked.data) as Origin);
}

/** With which event of a journal its code has begun, if it has. */
export function beginningIn<Event extends Pick<NewEvent, "type">>(
  journal: readonly Event[],
): Event | undefined {
  return journal.find(({ type }) => type === "run_started");
}

/**
 * Whether this version knows the rules under which a journal was begun.
 *
 * @throws {RunNotSupportedError} if not: the run is parked until the worker is updated
 */
export function checkEngine(first: Pick<NewEvent, "id"> | undefined): void {
  if (first === undefined || first.id === ENGINE_VERSION) return;
  throw new RunNotSupportedError(Number(first.id), Number(ENGINE_VERSION));
}

export const runKind: Kind = {
  events: {
    run_created: { role: "nothing" },
    run_forked: {
      role: "note",
      own: true,
      note(execution, { data }) {
        execution.inherit(decode(data) as Origin);
      },
    },
    run_started: { role: "begin" },
    run_completed: { role: "end" },
    run_failed: { role: "end" },
    run_cancelled: { role: "end" },
  },
};
