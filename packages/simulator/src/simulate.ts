import type { Run } from "@perdure/core/api";
import { PoisonedRunError, WorldError } from "@perdure/core/errors";
import { type Client, decodeError, MemoryState, memoryWorld, stubStep } from "@perdure/core/testing";
import { BrokenLaw, SimulationError } from "./broken.ts";
import { Cluster, type ClusterConfig } from "./cluster.ts";
import { FAULTS, type Fault } from "./faults.ts";
import { Network } from "./network.ts";
import type {
  SimulatedCluster,
  SimulatedOutcome,
  SimulatedWorkflow,
  SimulateOptions,
  SimulationReport,
  UserLaw,
} from "./options.ts";
import { checkReplay, isOver, simulatedRun } from "./outcome.ts";
import { currentProcess, enterProcess, pause, type SimProcess } from "./process.ts";
import { randomOf } from "./random.ts";
import { Scheduler, START } from "./scheduler.ts";
import { Trace } from "./trace.ts";

/** Clusters of the real engine that execute workflows of a user's, one for each seed. */

/** How long runs may be under way once there are no more faults, in ms of virtual time that is not slept through. */
const PATIENCE = 15 * 60_000;
const TRACE_LENGTH = 200;
/** Far more macrotasks than a whole cluster has to do in one millisecond. */
const TURNS_AT_ONE_TIME = 20_000;
/** A time in which nothing is due is passed over from this length on, in ms. */
const LULL = 30_000;

/**
 * Executes workflows in simulated clusters: several workers of the real engine on a World in memory, under virtual time. A seed decides
 * when each process goes on, which calls of the World get lost, come twice or late, and when workers are killed, frozen, closed, or have
 * their clocks set wrong. The same seed takes the same course.
 *
 * Of every cluster must hold: every run ends, no worker reports an error, no run diverges, and a cold replay of each journal comes to the
 * same end. Then `laws` are asked.
 *
 * A step's body must not wait for anything real: put stubs in their places, and let them wait with `pause`.
 *
 * @throws {SimulationError} for the first law that is broken, with its seed
 * @example
 * ```ts
 * await simulate({
 *   workflows: [{ workflow: chargeCustomer, args: (random) => [`cus_${random.int(1, 3)}`, 4200] }],
 *   seeds: 200,
 *   laws: { "every run completes": ({ runs }) => runs.every(({ status }) => status === "completed") },
 * });
 * ```
 */
export async function simulate<State = undefined>(
  options: SimulateOptions<State>,
): Promise<SimulationReport> {
  const { seeds = 100, workflows } = options;
  if (workflows.length === 0) throw new TypeError("simulate({ workflows }): names no workflow.");
  const all = typeof seeds === "number" ? Array.from({ length: seeds }, (_, index) => index + 1) : seeds;
  const report = { clusters: 0, runs: 0, events: 0, elapsed: 0 };
  for (const seed of all) {
    const { runs, events, elapsed } = await new Simulation(options, seed).run();
    report.clusters++;
    report.runs += runs;
    report.events += events;
    report.elapsed += elapsed;
  }
  return report;
}

class Simulation<State> {
  readonly #options: SimulateOptions<State>;
  readonly #seed: number;
  readonly #scheduler: Scheduler;
  readonly #trace = new Trace();
  readonly #state = new MemoryState();
  readonly #cluster: Cluster;
  readonly #client: Client;
  readonly #driver: SimProcess;
  readonly #workflows: readonly SimulatedWorkflow[];
  readonly #restore: (() => void)[] = [];
  readonly #runIds: string[] = [];
  readonly #outside: SimulatedCluster;
  /** What is under way outside of the cluster: starts, and what the user does. */
  #pending = 0;
  #starting = 0;
  #faultsEnd: number;
  #ending = false;
  #broken: BrokenLaw | null = null;

  constructor(options: SimulateOptions<State>, seed: number) {
    this.#options = options;
    this.#seed = seed;
    this.#workflows = options.workflows.map((entry) =>
      typeof entry === "function" ? { workflow: entry } : entry,
    );
    const { faults = FAULTS, workers } = options;
    const { faultsEnd, ...config } = configOf(seed, workers);
    this.#faultsEnd = START + faultsEnd;
    const scheduler = new Scheduler(randomOf(seed, "scheduler"), enterProcess);
    this.#scheduler = scheduler;
    const trace = this.#trace;
    const on = (fault: Fault): boolean =>
      !this.#ending && faults.includes(fault) && scheduler.now < this.#faultsEnd;
    const fail = (error: unknown): void => this.#fail(error);
    const lawBroken = (law: string, message: string, runId: string | null): Error =>
      new BrokenLaw(law, message, runId);
    let cluster: Cluster | null = null;
    const network = new Network({
      ...{ scheduler, trace, config, on, fail, lawBroken },
      random: randomOf(seed, "network"),
      kill: (process) => cluster?.kill(process),
      freeze: (process, ms) => cluster?.freeze(process, ms),
    });
    cluster = new Cluster({
      ...{ seed, scheduler, network, trace, config, on, fail, lawBroken },
      world: memoryWorld({ state: this.#state, clock: () => scheduler.now }),
      workflows: this.#workflows.map(({ workflow }) => workflow),
      mayDiverge: () => false,
    });
    this.#cluster = cluster;
    this.#driver = cluster.driver;
    this.#client = (cluster.clients[0] as (typeof cluster.clients)[number]).client;
    this.#outside = {
      seed,
      random: randomOf(seed, "user"),
      stub: (step, body) => void this.#restore.push(stubStep(step, body)),
      pause: (ms) => pause(currentProcess() ?? this.#driver, ms),
      now: () => scheduler.now,
    };
  }

  async run(): Promise<{ readonly runs: number; readonly events: number; readonly elapsed: number }> {
    const onRejection = (error: unknown): void =>
      this.#fail(new BrokenLaw("no engine errors", `unhandled rejection: ${String(error)}`, null, error));
    process.on("unhandledRejection", onRejection);
    try {
      const state = this.#options.setUp?.(this.#outside) as State;
      this.#begin(state);
      await this.#untilOver();
      await this.#close();
      await this.#check(state);
    } catch (error) {
      this.#fail(error);
    } finally {
      process.off("unhandledRejection", onRejection);
      for (const restore of this.#restore) restore();
    }
    if (this.#broken !== null) {
      throw new SimulationError(
        this.#broken,
        this.#seed,
        this.#trace.about(this.#broken.runId, TRACE_LENGTH),
      );
    }
    const runs = [...this.#state.runs.values()];
    const events = runs.reduce((sum, { journal }) => sum + journal.length, 0);
    return { runs: runs.length, events, elapsed: this.#scheduler.now - START };
  }

  #begin(state: State): void {
    const { act } = this.#options;
    this.#workflows.forEach((entry, index) => {
      for (let n = 0; n < (entry.runs ?? 3); n++) this.#do(() => this.#start(entry, `${index}/${n}`));
    });
    if (act !== undefined) {
      const program = { ...this.#outside, client: this.#client, runIds: this.#runIds };
      this.#do(() =>
        act(program, state).catch((error: unknown) => {
          throw new BrokenLaw("act() ends", String(error), null, error);
        }),
      );
    }
    this.#do(() => this.#operate(), false);
    this.#do(() => this.#cluster.disturb(), false);
  }

  /** Does something outside of the cluster; `awaited`: the simulation is not over before it is. */
  #do(work: () => Promise<void>, awaited = true): void {
    if (awaited) this.#pending++;
    this.#scheduler.turn(this.#driver, () => {
      void work()
        .catch((error: unknown) => this.#fail(error))
        .finally(() => void (awaited && this.#pending--));
    });
  }

  async #start({ workflow, args }: SimulatedWorkflow, key: string): Promise<void> {
    const random = randomOf(this.#seed, `start ${key}`);
    const given = args?.(random) ?? [];
    this.#starting++;
    await pause(this.#driver, random.int(0, 5000));
    for (;;) {
      try {
        const run = await this.#client.start(workflow, [...given], { idempotencyKey: `simulated/${key}` });
        this.#starting--;
        this.#runIds.push(run.runId);
        await this.#ended(run);
        return;
      } catch (error) {
        if (!WorldError.is(error)) throw error;
        await pause(this.#driver, 1000);
      }
    }
  }

  /** Waits until a client is told how the run ended. */
  async #ended(run: Run): Promise<void> {
    for (;;) {
      try {
        await run.returnValue;
        return;
      } catch (error) {
        if (!WorldError.is(error)) return;
        await pause(this.#driver, 1000);
      }
    }
  }

  /** Tries runs again that were parked because they were under way when workers were killed again and again. */
  async #operate(): Promise<void> {
    for (;;) {
      await pause(this.#driver, 2000);
      for (const { row } of this.#state.runs.values()) {
        if (row.status !== "diverged" || row.error === null) continue;
        if (!PoisonedRunError.is(decodeError(row.error))) continue;
        await this.#client
          .getRun(row.runId)
          .retry()
          .catch(() => {});
      }
    }
  }

  async #untilOver(): Promise<void> {
    const scheduler = this.#scheduler;
    let until = this.#faultsEnd + PATIENCE;
    const done = (): boolean => {
      if (scheduler.turnsAtThisTime > TURNS_AT_ONE_TIME) {
        this.#fail(new BrokenLaw("nobody spins", "time stands still"));
      }
      if (this.#broken !== null) return true;
      const open = [...this.#state.runs.values()].filter((run) => !isOver(run));
      if (open.length === 0) return this.#pending === 0;
      const wakeAt = this.#lullEnd(open);
      if (wakeAt === null) return false;
      const passed = wakeAt - scheduler.now;
      scheduler.jumpTo(wakeAt);
      this.#faultsEnd += passed;
      until += passed;
      return false;
    };
    for (let limit = until; !(await scheduler.run(limit, done)); limit = until) {
      // It was put off when a lull was passed over.
      if (until > limit) continue;
      const run = [...this.#state.runs.values()].find((each) => !isOver(each));
      const what =
        run === undefined ? "what act() or a start awaits does not come" : `still ${run.row.status}`;
      this.#fail(new BrokenLaw("every run ends", what, run?.row.runId ?? null));
      return;
    }
  }

  /** When the next of these runs is due, if nobody has anything to do for a while; or `null`. */
  #lullEnd(open: readonly { readonly row: { owner: string | null; dueAt: number | null } }[]): number | null {
    if (this.#starting > 0) return null;
    const times = open.map(({ row }) => (row.owner === null ? (row.dueAt ?? Number.POSITIVE_INFINITY) : 0));
    const next = Math.min(...times);
    return Number.isFinite(next) && next > this.#scheduler.now + LULL ? next - LULL / 2 : null;
  }

  async #close(): Promise<void> {
    if (this.#broken !== null) return;
    this.#ending = true;
    let closed = false;
    this.#do(async () => {
      await this.#cluster.shutDown();
      closed = true;
    }, false);
    await this.#scheduler.run(this.#scheduler.now + PATIENCE, () => closed || this.#broken !== null);
    if (!closed) this.#fail(new BrokenLaw("workers close", "a worker does not close"));
  }

  async #check(state: State): Promise<void> {
    if (this.#broken !== null) return;
    const stored = [...this.#state.runs.values()];
    for (const run of stored) await checkReplay(run);
    const outcome: SimulatedOutcome<State> = { seed: this.#seed, runs: stored.map(simulatedRun), state };
    const { laws = {} } = this.#options;
    const named = Array.isArray(laws)
      ? laws.map((law, n) => [law.name || `law ${n}`, law])
      : Object.entries(laws);
    for (const [name, law] of named as [string, UserLaw<State>][]) {
      try {
        if ((await law(outcome)) === false) throw new BrokenLaw(name, "the law returned false");
      } catch (error) {
        if (error instanceof BrokenLaw) throw error;
        throw new BrokenLaw(name, error instanceof Error ? error.message : String(error), null, error);
      }
    }
  }

  #fail(error: unknown): void {
    this.#broken ??=
      error instanceof BrokenLaw
        ? error
        : new BrokenLaw("no engine errors", (error as Error)?.stack ?? String(error), null, error);
  }
}

/** What a seed decides about a cluster before it starts. */
function configOf(seed: number, workers: number | undefined): ClusterConfig & { readonly faultsEnd: number } {
  const random = randomOf(seed, "config");
  return {
    workers: workers ?? random.int(1, 3),
    clients: 1,
    leaseTtl: random.pick([500, 1000, 3000]),
    maxRuns: random.pick([1, 2, 3, 100]),
    concurrency: random.pick([1, 2, 100]),
    commitsInFlight: random.pick([1, 4]),
    pollInterval: random.pick([200, 1000, 3000]),
    disturbance: random.pick([500, 2_000, 10_000]),
    callFaults: random.pick([0.005, 0.03, 0.1]),
    faultsEnd: random.pick([0, 5_000, 20_000, 60_000]),
  };
}
