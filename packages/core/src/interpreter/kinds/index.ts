import type { EntityKind } from "../../ids.ts";
import type { FirstClaim, JournalEvent, NewEvent, RunRecord } from "../../world/index.ts";
import type { Execution } from "../execution.ts";
import { attributesKind } from "./attributes.ts";
import { cancelKind } from "./cancel.ts";
import { childrenKind } from "./children.ts";
import { headersKind } from "./headers.ts";
import { hookKind } from "./hook.ts";
import type { Before, Carried, EventRole, Hearing, Kind, Offer, Owed, Past } from "./kind.ts";
import { lockKind } from "./lock.ts";
import { runKind } from "./run.ts";
import { signalKind } from "./signal.ts";
import { startKeyKind } from "./start-key.ts";
import { stateKind } from "./state.ts";
import { stepKind } from "./step.ts";
import { systemStepKind } from "./system-step.ts";
import { waitKind } from "./wait.ts";

/** The registry of kinds. A new kind is a file beside these, and a place in this list. */
const KINDS: readonly Kind[] = [
  runKind,
  headersKind,
  stepKind,
  systemStepKind,
  waitKind,
  hookKind,
  cancelKind,
  stateKind,
  attributesKind,
  childrenKind,
  startKeyKind,
  signalKind,
  lockKind,
];

const roles = new Map(KINDS.flatMap(({ events }) => Object.entries(events)));
const hearings = new Map(KINDS.flatMap(({ messages = {} }) => Object.entries(messages)));

/**
 * What events of this type are to the code.
 *
 * @throws {TypeError} for a type that this version does not know: the run is parked until the worker is updated
 */
export function roleOf(type: string): EventRole {
  const role = roles.get(type);
  if (role === undefined) {
    throw new TypeError(
      `The journal holds an event of the type ${JSON.stringify(type)}, which this version of perdure does not know: update it.`,
    );
  }
  return role;
}

/** How messages of this type are heard, if a kind hears them. */
export function hearingOf(type: string): Hearing | undefined {
  return hearings.get(type);
}

/**
 * What events ask for of one kind of entity and do not end, by id, in order. Where a journal comes in pages, `open` is what the pages
 * before left; types that this version does not know are passed over.
 */
export function openIn<Event extends Pick<NewEvent, "type" | "id">>(
  events: readonly Event[],
  as: EntityKind,
  open: Map<string, Event> = new Map(),
): Map<string, Event> {
  for (const event of events) {
    const { type, id } = event;
    const role = roles.get(type);
    if (id === null || role === undefined) continue;
    if (role.role === "request" && role.counted?.as === as) open.set(id, event);
    if (role.role === "delivery" && role.ends === true) open.delete(id);
  }
  return open;
}

/** What the next generation of a run has to know. */
export function carriedFrom(execution: Execution): readonly Carried[] {
  return KINDS.flatMap(({ carry }) => carry?.(execution) ?? []);
}

/** Whether a run may owe something when it ends, beside system steps without a result. */
export function mayOwe(execution: Execution): boolean {
  return KINDS.some(({ indebted }) => indebted?.(execution) === true);
}

/** What a run that has ended owes. */
export function owedBy(past: Past): Required<Owed> {
  const owed = KINDS.map(({ owes }) => owes?.(past) ?? {});
  return {
    steps: owed.flatMap(({ steps = [] }) => steps),
    messages: owed.flatMap(({ messages = [] }) => messages),
    children: owed.some(({ children = false }) => children),
  };
}

/** The events that a run which has ended offers to others, in order; from the seq `since` on also what it has read. */
export function offersOf(runId: string, journal: readonly JournalEvent[], since: number): readonly Offer[] {
  const offers = KINDS.flatMap((kind) => kind.offers?.(runId, journal, since) ?? []);
  return offers.sort((a, b) => a.event.seq - b.event.seq);
}

/** What a run that goes on for another has to know of what that one asked for, in the order of that run. */
export function knownOf(before: Before): readonly NewEvent[] {
  const known = KINDS.flatMap((kind) => kind.before?.(before) ?? []);
  return known.sort((a, b) => a.seq - b.seq).map(({ seq: _, ...event }) => event);
}

/** The names that a run has which begins with these events. */
export function namesOf(events: readonly NewEvent[]): readonly FirstClaim[] {
  return KINDS.flatMap(({ names }) => names?.(events) ?? []);
}

/** What the row of a run says whose journal begins with these events, which are those of `old` up to some place. */
export function rowOf(events: readonly NewEvent[], old: RunRecord): Pick<RunRecord, "attributes" | "state"> {
  const nothing = { attributes: {}, state: null };
  return Object.assign(nothing, ...KINDS.map(({ row }) => row?.(events, old)));
}

/** Whether an event of this type says that the store refused a request; its data is the id of the run that has the name. */
export function isRefusal(type: string): boolean {
  const role = roles.get(type);
  return role?.role === "request" && role.answers !== undefined;
}
