import type { CommitEvent, NewEvent, RunPatch } from "../world/index.ts";
import type { Deferred } from "./deferred.ts";

/** What a workflow has asked for and not got yet, whatever its kind. */

/** Something that the run waits for, from its request until its result is told. */
export interface Pending {
  readonly id: string;
  /** When the engine has to act on it next, ms since the epoch; `null`: as soon as the journal has it. */
  readonly dueAt: number | null;
  /** What the engine does then: executes an attempt of a step, or a system step, or tells the code an event of this type. */
  readonly due: "attempt" | "system_step" | (string & {});
  readonly result: Deferred<unknown>;
  /** A cancel leaves it alone. */
  readonly shielded: boolean;
  /** How it ended in the run that this one goes on for, which is what the code is told; absent for all else. */
  readonly recorded?: Recorded;
}

/** How something ended in the run that this one goes on for. */
export interface Recorded {
  /** The event that is told. */
  readonly type: string;
  readonly data: Uint8Array | null;
  /** When that was, and in which order with others of that time. */
  readonly at: number;
  readonly place: number;
}

/** What waits only to be told how it ended in the run before: it is due at once. */
export function endedBefore(
  { id, result, shielded }: Pick<Pending, "id" | "result" | "shielded">,
  recorded: Recorded,
): Pending {
  return { id, due: recorded.type, dueAt: LONG_AGO, recorded, result, shielded };
}

const LONG_AGO = 0;

/** A request of the code that becomes an event of the journal. */
export interface Request extends Pick<CommitEvent, "claim" | "release"> {
  /** What changes in the row with it. */
  readonly patch?: RunPatch;
  readonly type: string;
  readonly id: string;
  readonly name: string | null;
  readonly data: Uint8Array | null;
  /** Of a length of time: when it begins, ms since the epoch. */
  readonly from?: number;
  /** When the run that this one goes on for asked for it, which is told how it ended there. */
  readonly at?: number;
  /** The code gets the store's answer to it: see {@link Execution.awaitsAnswer}. */
  readonly answered?: boolean;
}

/** As messages name a request, or its event: `step_created "sendReceipt" (step_…)`. */
export function describeRequest({ type, name, id }: Pick<NewEvent, "type" | "name" | "id">): string {
  return `${type}${name === null ? "" : ` "${name}"`}${id === null ? "" : ` (${id})`}`;
}

/** A value that was decoded before. */
export interface Known {
  readonly value: unknown;
}

/** How the workflow function ended, encoded. */
export type Outcome =
  | { readonly type: "returned"; readonly output: Uint8Array | null }
  | { readonly type: "threw"; readonly error: Uint8Array }
  /** It was not to begin. */
  | { readonly type: "cancelled"; readonly reason: string }
  /** It goes on from the beginning, with these arguments. */
  | { readonly type: "continued"; readonly args: Uint8Array | null };
