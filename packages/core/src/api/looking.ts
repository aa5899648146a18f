import type { Clock } from "../clock.ts";
import { WorldError } from "../errors/index.ts";
import type { Hint, World } from "../world/index.ts";
import { unlessAborted } from "./waiting.ts";

/**
 * Looking at one run again and again until it shows what somebody waits for: at once when a notification tells of it, and where one only
 * tells that something has changed, the less often the longer nothing is seen.
 */

/** What a look gives: what was waited for, or how long, in milliseconds, to wait if nothing tells of a change before. */
export type Look<T> = { readonly seen: T } | { readonly again: number };

export interface LookingOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly signal: AbortSignal | undefined;
  /** Whether a notification tells that there may be something to see. */
  readonly tells: (hint: Hint) => boolean;
}

/** A lost notification costs so many milliseconds at most; where there are none, this is how often to look. */
const [PATIENCE, WITHOUT_NOTIFICATIONS] = [5_000, 500];
/** Between a look and the next one because something has changed, in milliseconds: at first, and at most. */
const [SHORTEST_PAUSE, LONGEST_PAUSE] = [10, 500];

/** Tells of the end of a run; with `"state"` of a state that it has set, too. */
export function tellsOf(runId: string, state?: "state"): LookingOptions["tells"] {
  return (hint) => (hint.type === "finished" || hint.type === state) && hint.runId === runId;
}

/** How long to wait for a notification, in milliseconds. */
export function patienceWith({ capabilities }: World): number {
  return capabilities.notifications ? PATIENCE : WITHOUT_NOTIFICATIONS;
}

/**
 * A look of somebody who only waits: where the store does not answer he waits on, as for {@link Run.returnValue}, and looks again
 * a little later.
 */
export function patiently<T>(look: () => Promise<Look<T>>): () => Promise<Look<T>> {
  return async () => {
    try {
      return await look();
    } catch (error) {
      if (!WorldError.is(error) || !error.retryable) throw error;
      return { again: WITHOUT_NOTIFICATIONS };
    }
  };
}

/** Looks now, and whenever there may be something to see. */
export async function untilSeen<T>(options: LookingOptions, look: () => Promise<Look<T>>): Promise<T> {
  const { world, clock, signal, tells } = options;
  let wake = (): void => {};
  let onChange = (): void => {};
  let cancelTimer = (): void => {};
  const unsubscribe = world.subscribe((hint) => {
    if (hint.type === "changed") onChange();
    else if (tells(hint)) wake();
  });
  try {
    for (let pause: number = SHORTEST_PAUSE; ; pause = Math.min(pause * 1.5, LONGEST_PAUSE)) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      let nextAt = Number.POSITIVE_INFINITY;
      const notAfter = (at: number): void => {
        if (at >= nextAt) return;
        nextAt = at;
        cancelTimer();
        cancelTimer = clock.setTimer(at, () => wake());
      };
      onChange = () => notAfter(clock.now() + pause);
      const looked = await unlessAborted(look(), signal);
      if ("seen" in looked) return looked.seen;
      notAfter(clock.now() + looked.again);
      await unlessAborted(woken, signal);
      cancelTimer();
    }
  } finally {
    cancelTimer();
    unsubscribe();
  }
}
