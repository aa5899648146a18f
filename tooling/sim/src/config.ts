import {
  FAULTS as CLUSTER_FAULTS,
  type ClusterConfig,
  type Fault as ClusterFault,
  randomOf,
} from "@perdure/simulator/cluster";

/** What a seed decides about a cluster before it starts. */

/** Faults that can be left out, to see which one a failure needs. */
export type Fault = ClusterFault | "cancel" | "deploy" | "poison";
export const FAULTS: readonly Fault[] = [...CLUSTER_FAULTS, "cancel", "deploy", "poison"];

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
  "key-not-claimed",
  "chunks-lost",
  "chunks-twice",
] as const;
export type TalkPlant = (typeof TALK_PLANTS)[number];

/** Planted bugs in locks. */
export const LOCK_PLANTS = [
  "lock-holders-unseen",
  "lock-fence-stands",
  "lock-outlives-run",
  "lock-line-jumped",
] as const;
export type LockPlant = (typeof LOCK_PLANTS)[number];

const WORLD_PLANTS = [
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
] as const;

export type Plant = (typeof WORLD_PLANTS)[number] | TalkPlant | LockPlant;

/** Planted bugs: each breaks one law of the World, or of what the engine does to it, on purpose. */
export const PLANTS: readonly Plant[] = [...WORLD_PLANTS, ...TALK_PLANTS, ...LOCK_PLANTS];

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
export interface SimConfig extends ClusterConfig {
  readonly programs: number;
  /** Virtual time from the start after which no more faults happen. */
  readonly faultsEnd: number;
  /** When code is deployed that does not follow the journals, and for how long, ms after the start; or `null`. */
  readonly badDeploy: { readonly at: number; readonly for: number } | null;
  /** The program whose steps end the processes that execute them, and until when, ms after the start; or `null`. */
  readonly poison: { readonly program: number; readonly until: number } | null;
}

export function configOf({ seed, workers }: SimOptions): SimConfig {
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
