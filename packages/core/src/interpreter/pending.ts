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
}

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
