import { memoryWorld } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import type { Planted } from "../memory-target.ts";
import { type Bug, bug } from "./bug.ts";

/** Worlds that have a clock of their store's, and go by the caller's in some place. */
export const clockBugs: readonly Bug[] = [
  bug("own-clock", "the time that a claim tells is the caller's", ({ world }) => ({
    claim: async (request) => ({ ...(await world.claim(request)), now: request.now }),
  })),
  bug("own-clock", "the times of a start are taken as they are", ({ world }) => ({
    createRuns: async (batch) => world.createRuns(batch, (await world.claim(NOTHING)).now),
  })),
  bug("own-clock", "due runs are looked for by the caller's clock", byCallers("claim")),
  bug("own-clock", "leases are renewed by the caller's clock", byCallers("renew")),
  bug("own-clock", "leases are held by the caller's clock", byCallers("commit")),
  bug("own-clock", "mail makes a run due by the caller's clock", byCallers("deliver")),
  bug("own-clock", "names are looked up by the caller's clock", byCallers("getNames")),
  bug("own-clock", "names are listed by the caller's clock", byCallers("listNames")),
  bug("own-clock", "records are read by the caller's clock", byCallers("readRecords")),
  bug("own-clock", "records are written by the caller's clock", byCallers("writeRecords")),
  bug("own-clock", "records are listed by the caller's clock", byCallers("listRecords")),
];

const NOTHING = {
  ...{ queues: [], limit: 1, byteLimit: 1, owner: "worker", claimId: "claim", ttl: 1, now: 0 },
  ...{ cached: new Map(), eventLimit: 1 },
};

/** Has this verb of a World without a clock of its own, on the same store. */
function byCallers(verb: keyof World): (planted: Planted) => Partial<World> {
  return ({ state }) => ({ [verb]: memoryWorld({ state })[verb] });
}
