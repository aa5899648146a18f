import type { Clock } from "../clock.ts";
import type { World } from "../world/index.ts";
import { unlessAborted } from "./waiting.ts";

/** Looking at one run again and again until it shows what somebody waits for. */

/** What a look gives: what was waited for, or how long, in milliseconds, to wait if nothing tells of a change before. */
export type Look<T> = { readonly seen: T } | { readonly again: number };

export interface LookingOptions {
  readonly world: World;
  readonly clock: Clock;
  readonly runId: string;
  readonly signal: AbortSignal | undefined;
}

/** A lost notification costs so many milliseconds at most; where there are none, this is how often to look. */
const [PATIENCE, WITHOUT_NOTIFICATIONS] = [5_000, 500];

/** How long to wait for a notification, in milliseconds. */
export function patienceWith({ capabilities }: World): number {
  return capabilities.notifications ? PATIENCE : WITHOUT_NOTIFICATIONS;
}

/** Looks now, and whenever the run may have changed. */
export async function untilSeen<T>(options: LookingOptions, look: () => Promise<Look<T>>): Promise<T> {
  const { world, clock, runId, signal } = options;
  let wake = (): void => {};
  const unsubscribe = world.subscribe((hint) => {
    if (hint.type === "changed" || ("runId" in hint && hint.runId === runId)) wake();
  });
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      const looked = await unlessAborted(look(), signal);
      if ("seen" in looked) return looked.seen;
      const cancelTimer = clock.setTimer(clock.now() + looked.again, wake);
      await unlessAborted(woken, signal).finally(cancelTimer);
    }
  } finally {
    unsubscribe();
  }
}
