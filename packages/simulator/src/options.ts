import type { Client } from "@perdure/core/testing";
import type { RunStatus } from "@perdure/core/world";
import type { Fault } from "./faults.ts";
import type { Random } from "./random.ts";

/** What a user says of a simulation, and what laws are asked about. */

/** A workflow that is simulated, and how it is started. */
export interface SimulatedWorkflow {
  // biome-ignore lint/suspicious/noExplicitAny: any workflow function.
  readonly workflow: (...args: any[]) => Promise<any>;
  /** The arguments of one run. Default: none. */
  readonly args?: (random: Random) => readonly unknown[];
  /** How many runs of it are started, at different times. Default 3. */
  readonly runs?: number;
}

/** A cluster while it runs, for stubs and for what happens to runs from outside. */
export interface SimulatedCluster {
  readonly seed: number;
  /** Choices of this seed. */
  readonly random: Random;
  /** Puts a body in the place of a step's, for this cluster. */
  stub<Args extends unknown[], Result>(
    step: (...args: Args) => Promise<Result>,
    body: (...args: Args) => Result | Promise<Result>,
  ): void;
  /** Waits in virtual time, in milliseconds; in a step's body it is that long under way, and may be killed meanwhile. */
  pause(ms: number): Promise<void>;
  /** Virtual time, ms since the epoch. */
  now(): number;
}

/** A cluster and a program that is outside of it. */
export interface SimulatedProgram extends SimulatedCluster {
  /** Starts runs, sends messages, cancels. Its calls get lost like all others, and are sent again. */
  readonly client: Client;
  /** The ids of the runs that were started so far. */
  readonly runIds: readonly string[];
}

/** A run when all are over. */
export interface SimulatedRun {
  readonly runId: string;
  /** The id of its workflow. */
  readonly workflow: string;
  readonly args: readonly unknown[];
  readonly status: RunStatus;
  /** What it returned; `undefined` if it did not. */
  readonly output: unknown;
  /** What it threw; `undefined` if it did not. */
  readonly error: unknown;
  /** The types and names of its events, in order. */
  readonly events: readonly {
    readonly type: string;
    readonly id: string | null;
    readonly name: string | null;
  }[];
}

/** What laws are asked about. */
export interface SimulatedOutcome<State> {
  readonly seed: number;
  /** All runs of the cluster, those that workflows started included. */
  readonly runs: readonly SimulatedRun[];
  /** What `setUp` gave. */
  readonly state: State;
}

/** Holds if it returns anything but `false`, and does not throw. */
export type UserLaw<State> = (outcome: SimulatedOutcome<State>) => unknown;

/** Options of `simulate`. */
export interface SimulateOptions<State = undefined> {
  /** What is started, and executed by the workers. */
  readonly workflows: readonly (SimulatedWorkflow | SimulatedWorkflow["workflow"])[];
  /** How many clusters, from seed 1 on, or the seeds of those. Default 100. */
  readonly seeds?: number | readonly number[];
  /** What must hold when all runs of a cluster are over: by names, or a list of functions that have names. */
  readonly laws?: Readonly<Record<string, UserLaw<State>>> | readonly UserLaw<State>[];
  /** Called before each cluster: stubs of steps, and what they write down for the laws. */
  readonly setUp?: (cluster: SimulatedCluster) => State;
  /** What happens from outside while the cluster runs, such as payloads for hooks. Default: nothing. */
  readonly act?: (program: SimulatedProgram, state: State) => Promise<void>;
  /** Default: all. */
  readonly faults?: readonly Fault[];
  /** Workers of a cluster. Default: 1 to 3, by seed. */
  readonly workers?: number;
}

/** What was simulated. */
export interface SimulationReport {
  readonly clusters: number;
  readonly runs: number;
  readonly events: number;
  /** Virtual time, in ms. */
  readonly elapsed: number;
}
