import { isShielded } from "../../contexts.ts";
import { type Duration, parseDuration } from "../../duration.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { JournalEvent, NewEvent } from "../../world/index.ts";
import { deferred } from "../deferred.ts";
import type { Difference } from "../difference.ts";
import type { Execution, StateKey } from "../execution.ts";
import type { KindState } from "../kind-state.ts";
import { endedBefore, type Pending, type Recorded, type Request } from "../pending.ts";
import { cancelledAgain } from "./cancel.ts";
import type { Before, Kind } from "./kind.ts";
import { nextPlace } from "./requests-before.ts";

/**
 * Sleeps: `wait_created` with the time of its end, then `wait_completed`, then or when a message ends the sleep early. `wait_recorded`
 * tells a run that goes on for another of each that ended there: one of that length, or until that time, has ended here.
 */

/** The type of the message that ends a sleep early; it is addressed to the sleep. */
export const STOP_SLEEP = "stop_sleep";

interface PendingWait extends Pending {
  readonly due: "wait_completed";
  /** The journal's once the wait is in it. */
  dueAt: number;
}

/** `data` of a `wait_recorded` event. */
interface SleepTimes {
  readonly dueAt: number;
  /** When it began. */
  readonly at: number;
}

/** A sleep of the run that this one goes on for. */
interface SleptBefore extends SleepTimes {
  readonly recorded: Recorded;
}

interface Slept extends KindState {
  /** Those that have ended there and that the code has not asked for, in the order in which they ended. */
  readonly before: SleptBefore[];
}

const SLEPT: StateKey<Slept> = { name: "sleeps before", make: noneSlept };

function noneSlept(): Slept {
  return { before: [] };
}

/** A workflow sleeps. */
export function sleepIn(execution: Execution, duration: Duration): Promise<void> {
  if (execution.over) return new Promise(() => {});
  const cancelled = cancelledAgain(execution);
  if (cancelled !== null) return cancelled;
  return beginSleep(execution, duration, null).result.promise as Promise<void>;
}

/** Whether a `wait_created` is a sleep, and no limit of the time for something else. */
export function isSleep({ name }: Pick<NewEvent, "name">): boolean {
  return name === null;
}

/** A time within which something has to happen. */
export interface TimeLimit {
  readonly over: Promise<void>;
  /** It has happened: the run is not woken when the time is over. */
  readonly lift: () => void;
}

/** A workflow waits no longer than so for what has the id `what`. Nobody ends that time early, as one does a sleep. */
export function timeLimitIn(execution: Execution, duration: Duration, what: string): TimeLimit {
  const { id, result } = beginSleep(execution, duration, what);
  return { over: result.promise as Promise<void>, lift: () => void execution.settle(id) };
}

// A clock that differs by more is wrong, and is warned of; in milliseconds.
const LARGEST_DIFFERENCE = 1_000;

/**
 * When a length of time begins: now; by the code's own time, if that is a little ahead, since another machine wrote what it was told last:
 * then a sleep is not shorter than the code sees. Where it is far ahead, a sleep would take as much longer.
 */
function beginning({ clock, now }: { readonly clock: number; readonly now: number }): number {
  return now - clock <= LARGEST_DIFFERENCE ? Math.max(now, clock) : clock;
}

function beginSleep(execution: Execution, duration: Duration, name: string | null): PendingWait {
  const from = beginning({ clock: execution.clock, now: execution.now() });
  const asked = parseDuration(duration, from, "sleep()");
  const isMoment = typeof duration === "object";
  const same = name === null ? sleptBefore(execution, isMoment ? null : asked - from, asked) : undefined;
  const dueAt = same?.dueAt ?? asked;
  const wait: PendingWait = {
    id: execution.nextId("wait", ""),
    due: "wait_completed",
    dueAt,
    result: deferred(),
    shielded: isShielded(),
  };
  execution.pending.set(wait.id, same === undefined ? wait : endedBefore(wait, same.recorded));
  const data = encode(dueAt, "sleep");
  execution.request({ type: "wait_created", id: wait.id, name, data, from, ...(same && { at: same.at }) });
  return wait;
}

/** A sleep of this length, or until this moment, that has ended in the run that this one goes on for. */
function sleptBefore(execution: Execution, length: number | null, dueAt: number): SleptBefore | undefined {
  const before = execution.known(SLEPT)?.before ?? [];
  // The journal knows a length to about a second only.
  const difference = (slept: SleptBefore): number =>
    length === null ? Math.abs(slept.dueAt - dueAt) : Math.abs(slept.dueAt - slept.at - length);
  let closest = before[0];
  if (closest === undefined) return undefined;
  for (const other of before) if (difference(other) < difference(closest)) closest = other;
  const isSame = length === null ? closest.dueAt === dueAt : isSameLength(closest.dueAt - closest.at, length);
  if (!isSame) return undefined;
  before.splice(before.indexOf(closest), 1);
  return closest;
}

export const waitKind: Kind = {
  before: sleepsEnded,
  events: {
    wait_created: {
      role: "request",
      counted: { as: "wait", byName: false },
      strict: false,
      journalled(execution, event) {
        const wait = execution.pending.get(event.id ?? "");
        if (wait?.due === "wait_completed") (wait as PendingWait).dueAt = decode(event.data) as number;
      },
      difference: lengthDifference,
    },
    wait_recorded: {
      role: "note",
      note(execution, { id, at, data }) {
        const place = nextPlace(execution);
        const recorded: Recorded = { type: "wait_completed", data: null, at, place };
        const wait = execution.pending.get(id ?? "");
        if (wait !== undefined) execution.pending.set(wait.id, endedBefore(wait, recorded));
        else execution.state(SLEPT).before.push({ ...(decode(data) as SleepTimes), recorded });
      },
    },
    wait_completed: {
      role: "delivery",
      ends: true,
      deliver(execution, event) {
        execution.settle(event.id)?.result.resolve(undefined);
      },
    },
  },
  messages: {
    [STOP_SLEEP](execution, { id }) {
      if (id === null || execution.pending.get(id)?.due !== "wait_completed") return null;
      return { type: "wait_completed", id, data: null };
    },
  },
};

/** The sleeps that have ended in the run before. */
function sleepsEnded({ prefix, rest, again }: Before): JournalEvent[] {
  if (again === null) return [];
  const begun = new Map<string | null, JournalEvent>();
  for (const event of [...prefix, ...rest]) {
    if (event.type === "wait_created" && event.name === null) begun.set(event.id, event);
  }
  const ended = rest.flatMap((event) => {
    const wait = event.type === "wait_completed" ? begun.get(event.id) : undefined;
    if (wait === undefined) return [];
    const times: SleepTimes = { dueAt: decode(wait.data) as number, at: wait.at };
    return [{ ...event, type: "wait_recorded", data: encode(times, "sleep") }];
  });
  // Of a retry: those of the run before it that its code has asked for have its times.
  const asked = ended.map(({ data }) => JSON.stringify(decode(data)));
  const open = rest.filter(({ type, data }) => {
    if (type !== "wait_recorded") return false;
    const place = asked.indexOf(JSON.stringify(decode(data)));
    if (place >= 0) asked.splice(place, 1);
    return place < 0;
  });
  return [...ended, ...open];
}

/**
 * The journal has the end of a sleep and not its length. Its event is the later the longer the process took to write it, and so is `now`,
 * at which a replay comes to it: where processes stand still, either of the two may make a sleep look shorter than it is.
 */
function lengthDifference(event: JournalEvent, request: Request, now: number): Difference | null {
  const [journalEnd, codeEnd] = [decode(event.data) as number, decode(request.data) as number];
  if (journalEnd === codeEnd) return null;
  const journal = Math.max(journalEnd - event.at, 0);
  const longest = Math.max(codeEnd - (request.from ?? now), 0);
  const shortest = Math.max(codeEnd - now, 0);
  const notable = notableBetween(journal, longest);
  if (journal >= shortest - notable && journal <= longest + notable) return null;
  return { path: "duration", journal: `${journal} ms`, code: `${longest} ms` };
}

function isSameLength(one: number, other: number): boolean {
  return Math.abs(one - other) <= notableBetween(one, other);
}

/** By how much two lengths of a sleep have to differ to be two: they are known to about a second. In milliseconds. */
function notableBetween(one: number, other: number): number {
  return Math.max(1_000, one / 10, other / 10);
}
