import { type Random, randomOf } from "./random.ts";

/** What a seed decides about a cluster before it starts. */

/** Faults that can be left out, to see which one a failure needs. */
export const FAULTS = [
  "kill",
  "freeze",
  "lost",
  "latency",
  "duplicate",
  "hints",
  "close",
  "cancel",
  "deploy",
  "poison",
  "clock",
] as const;
export type Fault = (typeof FAULTS)[number];

/** Planted bugs in what runs that talk are made of. */
export const TALK_PLANTS = [
  "heard-forgotten",
  "generation-not-told",
  "first-mail-dropped",
  "successor-not-claimed",
  "once-not-claimed",
  "fork-forgets-a-result",
  "claim-by-id-gives-nothing",
  "state-not-written",
  "attributes-not-written",
  "cancel-of-child-lost",
  "answer-unheard",
  "shield-with-a-hole",
] as const;
export type TalkPlant = (typeof TALK_PLANTS)[number];

/** Planted bugs in locks. */
export const LOCK_PLANTS = ["lock-holders-unseen", "lock-fence-stands", "lock-outlives-run"] as const;
export type LockPlant = (typeof LOCK_PLANTS)[number];

/** Planted bugs: each breaks one law of the World, or of what the engine does to it, on purpose. */
export const PLANTS = [
  "no-epoch-check",
  "deliver-without-wake",
  "park-over-mail",
  "commit-applied-twice",
  "event-order-swapped",
  "after-work-skipped",
  "after-work-doubled",
  "restart-loses-mail",
  "record-over-newer",
  "name-given-twice",
  ...TALK_PLANTS,
  ...LOCK_PLANTS,
] as const;
export type Plant = (typeof PLANTS)[number];

/** What to simulate. The same options give the same course. */
export interface SimOptions {
  readonly seed: number;
  /** Default: by seed. */
  readonly workers?: number;
  readonly faults: readonly Fault[];
  readonly plant?: Plant;
  /** Indices of the programs to run. Default: all. */
  readonly only?: readonly number[];
}

/** The settings of one simulated cluster. */
export interface ClusterConfig {
  readonly workers: number;
  readonly clients: number;
  readonly programs: number;
  readonly leaseTtl: number;
  readonly maxRuns: number;
  readonly concurrency: number;
  /** How many batches of one worker may be under way. */
  readonly commitsInFlight: number;
  readonly pollInterval: number;
  /** Virtual time from the start after which no more faults happen. */
  readonly faultsEnd: number;
  /** Mean time between two kills, freezes or closings of workers. */
  readonly disturbance: number;
  /** Probability of a fault at one call of the World. */
  readonly callFaults: number;
  /** When code is deployed that does not follow the journals, and for how long, ms after the start; or `null`. */
  readonly badDeploy: { readonly at: number; readonly for: number } | null;
  /** The program whose steps end the processes that execute them, and until when, ms after the start; or `null`. */
  readonly poison: { readonly program: number; readonly until: number } | null;
}

export function configOf({ seed, workers }: SimOptions): ClusterConfig {
  const random = randomOf(seed, "config");
  const poison = randomOf(seed, "poison");
  return {
    workers: workers ?? random.int(1, 3),
    clients: random.int(1, 3),
    programs: random.int(1, 6),
    leaseTtl: random.pick([500, 1000, 3000]),
    maxRuns: random.pick([1, 2, 3, 100]),
    concurrency: random.pick([1, 2, 100]),
    commitsInFlight: random.pick([1, 4]),
    pollInterval: random.pick([200, 1000, 3000]),
    faultsEnd: random.pick([0, 5_000, 20_000, 60_000]),
    disturbance: random.pick([500, 2_000, 10_000]),
    callFaults: random.pick([0.005, 0.03, 0.1]),
    badDeploy: random.chance(0.2) ? { at: random.int(500, 6000), for: random.int(100, 10_000) } : null,
    poison: poison.chance(0.2) ? { program: poison.int(0, 2), until: poison.int(1_000, 120_000) } : null,
  };
}

/** Milliseconds that something of the network or the machine takes. */
export function latency(random: Random, slow: boolean, leaseTtl: number): number {
  const kind = slow ? random.next() : 0;
  if (kind < 0.8) return random.int(0, 5);
  if (kind < 0.98) return random.int(0, 200);
  return random.int(0, leaseTtl * 3);
}
