/**
 * Determinism: what a workflow may see of the world, so that its replay sees the same.
 */
export type { GuardedContext, Lookup } from "./context.ts";
export { installGuard, refreshGuard } from "./guard.ts";
export type { Contender, Contention, Offer } from "./race.ts";
export { fillRandom, randomUuid, seededRandom } from "./random.ts";
