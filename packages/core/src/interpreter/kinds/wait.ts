import { isShielded } from "../../contexts.ts";
import { type Duration, parseDuration } from "../../duration.ts";
import { decode, encode } from "../../serialization/index.ts";
import type { JournalEvent, NewEvent } from "../../world/index.ts";
import { deferred } from "../deferred.ts";
import type { Difference } from "../difference.ts";
import type { Execution } from "../execution.ts";
import type { Pending, Request } from "../pending.ts";
import { cancelledAgain } from "./cancel.ts";
import type { Kind } from "./kind.ts";

/** Sleeps: `wait_created` with the time of its end, then `wait_completed`, then or when a message ends the sleep early. */

/** The type of the message that ends a sleep early; it is addressed to the sleep. */
export const STOP_SLEEP = "stop_sleep";

interface PendingWait extends Pending {
  readonly due: "wait_completed";
  /** The journal's once the wait is in it. */
  dueAt: number;
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
  const dueAt = parseDuration(duration, from, "sleep()");
  const wait: PendingWait = {
    id: execution.nextId("wait", ""),
    due: "wait_completed",
    dueAt,
    result: deferred(),
    shielded: isShielded(),
  };
  execution.pending.set(wait.id, wait);
  execution.request({ type: "wait_created", id: wait.id, name, data: encode(dueAt, "sleep") });
  return wait;
}

export const waitKind: Kind = {
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

/** The journal has the end of a sleep and not its length, so both lengths are known to about a second. */
function lengthDifference(event: JournalEvent, request: Request, now: number): Difference | null {
  const [journal, code] = [decode(event.data) as number, decode(request.data) as number];
  if (journal === code) return null;
  const lengths = [journal - event.at, code - now] as const;
  const notable = Math.max(1_000, ...lengths.map((length) => length / 10));
  if (Math.abs(lengths[0] - lengths[1]) <= notable) return null;
  return { path: "duration", journal: `${lengths[0]} ms`, code: `${lengths[1]} ms` };
}
