import { hash } from "node:crypto";
import type { EntityKind } from "../../ids.ts";
import type { JournalEvent, NewEvent } from "../../world/index.ts";
import type { Execution, StateKey } from "../execution.ts";
import { entityKey } from "../identity.ts";
import type { KindState } from "../kind-state.ts";
import type { Recorded } from "../pending.ts";
import type { Before } from "./kind.ts";

/**
 * What a run that goes on for another one knows of what that one asked for from the place on at which it goes on. `step_again` and
 * `system_step_again`: it was asked for there, with the event's data; if the code asks for the same, it is that request, with its id.
 * `step_recorded` and `system_step_recorded`: how it ended there, which is how it ends here.
 */

/** A kind of request that is not made twice. */
export interface KeptKind {
  /** What the types of its events begin with. */
  readonly type: "step" | "system_step";
  readonly as: EntityKind;
  /** What is asked, of the data of a request: without what follows from its id and the time. */
  readonly asks: (name: string, data: Uint8Array | null) => Uint8Array | null;
}

export const STEPS: KeptKind = { type: "step", as: "step", asks: (_name, data) => data };

/** The name of the record of a request that has failed. */
const FAILED = "failed";

/** A request of the run before. */
interface AskedBefore {
  readonly id: string;
  /** See {@link callOf}. */
  readonly call: string;
  readonly data: Uint8Array | null;
  readonly at: number;
}

export interface RequestsBefore extends KindState {
  /** Those that the code has not asked for yet, by what is asked, and in the order of that run. */
  readonly open: Map<string, AskedBefore[]>;
  readonly asked: Map<string, AskedBefore>;
  /** The ids of all that were executed there and are not over by that. */
  readonly again: Set<string>;
  readonly ends: Map<string, Recorded>;
  /** Before a replay: the ids that the journal has, by what they are counted among. */
  readonly journalled: Map<string, string[]>;
  /** How often the code has asked, by the same. */
  readonly calls: Map<string, number>;
  /** Of how many ends it has heard. */
  heard: number;
}

const BEFORE: StateKey<RequestsBefore> = { name: "requests before", make: noneBefore };

/** What the run knows of them; `null` for one that goes on for no other. */
export function requestsBefore(execution: Execution): RequestsBefore | null {
  return execution.goesOn ? execution.state(BEFORE) : null;
}

function noneBefore(): RequestsBefore {
  const [open, asked, ends, journalled, calls] = [new Map(), new Map(), new Map(), new Map(), new Map()];
  return { open, asked, again: new Set(), ends, journalled, calls, heard: 0 };
}

/** A request that the code makes. */
export interface NextRequest {
  /** That of the journal, where it has it; else one of the run's own. */
  readonly id: string;
  readonly isNew: boolean;
}

/** The next request of this kind and name. */
export function nextRequest(
  execution: Execution,
  before: RequestsBefore | null,
  { as }: KeptKind,
  name: string,
): NextRequest {
  const id = execution.nextId(as, name);
  if (before === null) return { id, isNew: true };
  const key = entityKey(as, name);
  const count = before.calls.get(key) ?? 0;
  before.calls.set(key, count + 1);
  const known = before.journalled.get(key)?.[count];
  return known === undefined ? { id: execution.ownId(as, name), isNew: true } : { id: known, isNew: false };
}

/** The request of the run before that it is: one that asks the same, if there is one. */
export function sameBefore(
  { open, asked }: RequestsBefore,
  kind: KeptKind,
  { id, isNew }: NextRequest,
  name: string,
  data: Uint8Array | null,
): AskedBefore | undefined {
  if (isNew) return open.get(callOf(kind, name, data))?.shift();
  const known = asked.get(id);
  const same = open.get(known?.call ?? "") ?? [];
  const place = same.findIndex((other) => other.id === id);
  if (place >= 0) same.splice(place, 1);
  return known;
}

/** What is asked of whom. */
function callOf({ type, asks }: KeptKind, name: string, data: Uint8Array | null): string {
  const what = asks(name, data);
  return `${type}\0${name}\0${what === null ? "" : hash("sha256", what, "base64url")}`;
}

/** Lets a replay give requests the ids that they got, also where what they ask has changed since. */
export function knowRequests(
  execution: Execution,
  kinds: readonly KeptKind[],
  events: readonly NewEvent[],
): void {
  if (!events.some(({ type }) => type === "run_forked")) return;
  // Before it has heard that it goes on for another run.
  const { journalled } = execution.state(BEFORE);
  for (const { type, id, name } of events) {
    const kind = kinds.find((one) => type === `${one.type}_created`);
    if (kind === undefined || id === null || name === null) continue;
    const key = entityKey(kind.as, name);
    const ids = journalled.get(key);
    if (ids === undefined) journalled.set(key, [id]);
    else ids.push(id);
  }
}

/** Hears of a request of the run before; `isAsked`: the code has made it already. */
export function noteAgain(
  { again, asked, open }: RequestsBefore,
  kind: KeptKind,
  { id, name, data, at }: NewEvent,
  isAsked: boolean,
): void {
  if (id === null || name === null) return;
  again.add(id);
  if (isAsked || asked.has(id)) return;
  const before: AskedBefore = { id, call: callOf(kind, name, data), data, at };
  asked.set(id, before);
  const same = open.get(before.call);
  if (same === undefined) open.set(before.call, [before]);
  else same.push(before);
}

/** The place, among all, of an end of which the run hears. */
export function nextPlace(execution: Execution): number {
  return execution.state(BEFORE).heard++;
}

/** Hears how a request of the run before ended. */
export function noteEnd(
  before: RequestsBefore,
  { type }: KeptKind,
  { id, name, at, data }: NewEvent,
): Recorded {
  const end: Recorded = {
    type: `${type}_${name === FAILED ? FAILED : "completed"}`,
    at,
    place: before.heard++,
    data,
  };
  before.ends.set(id ?? "", end);
  return end;
}

/** It was executed in the run before, and the outcome that counts is that of this run. */
export function isExecutedAgain({ again, ends }: RequestsBefore, id: string): boolean {
  return again.has(id) && !ends.has(id);
}

/**
 * What a run that has the beginning of a journal has to know of the requests of a kind in the rest. One that makes something else
 * of that beginning keeps of the rest only the results of what was asked for in the beginning.
 */
export function keptIn({ prefix, rest, again, keys }: Before, { type: kind }: KeptKind): JournalEvent[] {
  const ends = new Set([`${kind}_completed`, `${kind}_failed`, `${kind}_recorded`]);
  const asked = new Map<string, JournalEvent>();
  const ended = new Map<string, JournalEvent>();
  const open = new Set<string>();
  for (const event of prefix) {
    const { type, id } = event;
    if (id === null) continue;
    if (type === `${kind}_created`) {
      open.add(id);
      if (again?.has(id) === true) asked.set(id, event);
    }
    if (ends.has(type)) open.delete(id);
  }
  for (const event of rest) {
    const { type, id, name } = event;
    // Those that get other ids are not what they were.
    if (id === null || (keys === "new" && again?.has(id) === true && !open.has(id))) continue;
    if (again !== null && (type === `${kind}_created` || type === `${kind}_again`)) asked.set(id, event);
    if (!ends.has(type) || again?.has(id) === true) continue;
    const failed = type === `${kind}_failed` || name === FAILED;
    if (again !== null || (open.has(id) && !failed)) ended.set(id, event);
  }
  return [
    ...[...asked.values()].map((event) => ({ ...event, type: `${kind}_again` })),
    ...[...ended.values()].map((event) => {
      const failed = event.type === `${kind}_failed` || event.name === FAILED;
      return { ...event, type: `${kind}_recorded`, name: failed ? FAILED : null };
    }),
  ];
}
