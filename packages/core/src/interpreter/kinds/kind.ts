import type { JournalEvent, Mail, NewEvent, RunPatch } from "../../world/index.ts";
import type { Difference } from "../difference.ts";
import type { Execution } from "../execution.ts";
import type { Known, Request } from "../pending.ts";

/**
 * A kind of request: everything about it that is not the same for all, in one file. Its functions take the execution and keep
 * what they need of it in a state of their own ({@link Execution.state}).
 */
export interface Kind {
  /** The events that the kind writes, by type. */
  readonly events: Readonly<Record<string, EventRole>>;
  /** The messages that it hears, by type. */
  readonly messages?: Readonly<Record<string, Hearing>>;
  /** What the next generation of a run that continues as new has to know of it: events before its `run_started`. */
  readonly carry?: (execution: Execution) => readonly Carried[];
}

/** An event of the next generation. */
export type Carried = Pick<NewEvent, "type" | "id" | "name" | "data">;

/** What an event of the journal is to the code, live and in a replay. */
export type EventRole =
  | RequestRole
  | DeliveryRole
  | NoteRole
  | { readonly role: "begin" | "end" | "nothing" };

/** The code asked for it. */
export interface RequestRole {
  readonly role: "request";
  /** The type of the request, where the journal says it otherwise: a request that the store refused. */
  readonly answers?: string;
  /** The request is in the journal, as this event. */
  journalled(execution: Execution, event: NewEvent): void;
  /** Where the request of a replay differs from the journal in a value; the journal's counts. */
  difference(event: JournalEvent, request: Request, now: number): Difference | null;
  /** Whether a difference is a divergence under `strictReplay`. */
  readonly strict: boolean;
}

/** It is told to the code. */
export interface DeliveryRole {
  readonly role: "delivery";
  /** Throws if the event's data cannot be decoded here; `known` is its data, decoded before. */
  deliver(execution: Execution, event: NewEvent, known?: Known): void;
}

/** It changes what is known of a request, and the code does not hear of it. */
export interface NoteRole {
  readonly role: "note";
  note(execution: Execution, event: NewEvent): void;
}

/** The event that a message becomes, or `null` for a message that nobody waits for any more. Throws if it cannot be decoded. */
export type Hearing = (execution: Execution, mail: Mail) => Heard | null;

/** An event that is written and told to the code. */
export interface Heard extends Pick<NewEvent, "type" | "id" | "data"> {
  readonly name?: string;
  readonly known?: Known;
  /** What changes in the row with it. */
  readonly patch?: RunPatch;
}
