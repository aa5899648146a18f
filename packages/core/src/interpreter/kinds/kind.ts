import type { EntityKind } from "../../ids.ts";
import type {
  FirstClaim,
  FirstMail,
  JournalEvent,
  Mail,
  Message,
  NewEvent,
  RunPatch,
  RunRecord,
} from "../../world/index.ts";
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
  /** Whether the run may owe something on account of it when it ends, as only its owner knows: its code stands here. */
  readonly indebted?: (execution: Execution) => boolean;
  /** What a run that has ended owes on account of it. */
  readonly owes?: (past: Past) => Owed;
  /**
   * The events of an ended run that it offers to others: a run that goes on for it gets them in its mailbox, if nobody has. From the
   * seq `since` on also those that it has read.
   */
  readonly offers?: (runId: string, journal: readonly JournalEvent[], since: number) => readonly Offer[];
  /**
   * What a run that goes on for another has to know of what that one asked for, beyond the events that it has from there: events
   * with the places in that journal of what they tell of.
   */
  readonly before?: (before: Before) => readonly JournalEvent[];
  /** The names that a run has on account of it, whose journal ends with these events. */
  readonly names?: (events: readonly NewEvent[]) => readonly FirstClaim[];
  /** What it says in the row of a run whose journal begins with these events, which are those of `old` up to some place. */
  readonly row?: (
    events: readonly NewEvent[],
    old: RunRecord,
  ) => Partial<Pick<RunRecord, "attributes" | "state">>;
}

/** The journal of a run, up to the place from which another one goes on, and from there on. */
export interface Before {
  readonly prefix: readonly JournalEvent[];
  readonly rest: readonly JournalEvent[];
  /** What failed and is done again. `null`: what is made does not go on for the run, but does something else. */
  readonly again: ReadonlySet<string> | null;
  /** What of that gets other ids. */
  readonly keys: "keep" | "new";
  readonly now: number;
}

/** A run that has ended. */
export interface Past {
  readonly run: RunRecord;
  readonly journal: readonly JournalEvent[];
  /** Its unread messages. */
  readonly mail: readonly Mail[];
}

/** What is done after a run's end, any number of times with the same effect. */
export interface Owed {
  /** System steps without a result. */
  readonly steps?: readonly OwedStep[];
  readonly messages?: readonly Message[];
  /** It may have children that are cancelled with it. */
  readonly children?: boolean;
}

/** An event that an ended run offers as a message. */
export interface Offer {
  readonly event: JournalEvent;
  readonly mail: FirstMail;
}

/** A system step; its input is decoded. */
export interface OwedStep {
  readonly id: string;
  readonly name: string;
  readonly input: unknown;
}

/** An event of the next generation. */
export type Carried = Pick<NewEvent, "type" | "id" | "name" | "data">;

/** What an event of the journal is to the code, live and in a replay. */
export type EventRole =
  | RequestRole
  | DeliveryRole
  | NoteRole
  /** `last`: written beside the run's end, and not for the code. */
  | { readonly role: "begin" | "end" | "last" | "nothing" };

/** The code asked for it. */
export interface RequestRole {
  readonly role: "request";
  /** Among what its id is counted, under its `name` where those are counted one by one; absent where it has the id of another. */
  readonly counted?: { readonly as: EntityKind; readonly byName: boolean };
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
  /** Its id names what the code asked for, and with this has got. */
  readonly ends?: true;
  /** Whether it says that what was asked for has failed, and of whom: a retry of the run goes on before that. */
  readonly failure?: (event: JournalEvent, request: JournalEvent | undefined) => Failure | null;
  /** The code ends where it stands, and does not hear of it: what it asks for meanwhile is not done. */
  readonly endsCode?: (event: NewEvent) => boolean;
  /** Throws if the event's data cannot be decoded here; `known` is its data, decoded before. */
  deliver(execution: Execution, event: NewEvent, known?: Known): void;
}

/** What failed. */
export interface Failure {
  /** By what the run's error names it: as a `stepId` or a `runId`. */
  readonly of: string;
}

/** It changes what is known of a request, and the code does not hear of it. */
export interface NoteRole {
  readonly role: "note";
  /** It counts attempts of what it is about: what is retried begins without it. */
  readonly ofAttempt?: true;
  /** A run that begins with the journal of another writes its own. */
  readonly own?: true;
  note(execution: Execution, event: NewEvent): void;
}

/** The event that a message becomes, or `null` for a message that nobody waits for any more. Throws if it cannot be decoded. */
export type Hearing = (execution: Execution, mail: Mail) => Heard | null;

/** An event that is written and told to the code. */
export interface Heard extends Pick<NewEvent, "type" | "id" | "data"> {
  readonly name?: string | null;
  /** When it came to the run that this one goes on for: the code sees that time. */
  readonly at?: number | undefined;
  readonly known?: Known | undefined;
  /** What changes in the row with it. */
  readonly patch?: RunPatch;
  /** The run gives back the name that it has under this id. */
  readonly release?: string;
}
