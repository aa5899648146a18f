import type { Logger } from "../../logger.ts";
import type { Lease, World } from "../../world/index.ts";
import type { StoreClock } from "./store-clock.ts";

/** Gives back a run, with a journal of so many events, that was created for a worker when it had closed. */
export async function giveBack(
  { runId, epoch, claimId }: Lease,
  seq: number,
  { world, clock, logger }: { readonly world: World; readonly clock: StoreClock; readonly logger: Logger },
): Promise<void> {
  const now = clock.now();
  const lease = { type: "park", dueAt: now } as const;
  try {
    await world.commit([{ runId, epoch, claimId, seq, events: [], mailDone: 0, run: {}, lease }], now);
  } catch (error) {
    logger.warn(
      "a run could not be given back to the store: a worker takes it up again when its lease is over",
      { runId, error },
    );
  }
}
