import { PoisonedRunError } from "@perdure/core/errors";
import type { Logger, WorkerOptions } from "@perdure/core/runtime";
import { Client, EngineWorker, seededIds } from "@perdure/core/testing";
import type { World } from "@perdure/core/world";
import type { EngineLaw, Fault } from "./faults.ts";
import type { Network, NetworkConfig } from "./network.ts";
import { newProcess, pause, type SimProcess } from "./process.ts";
import { processWorld } from "./process-world.ts";
import { type Random, randomOf } from "./random.ts";
import type { Scheduler } from "./scheduler.ts";
import type { Trace } from "./trace.ts";

/** The processes of a simulated cluster, and what happens to them. */

/** A process with what runs in it. */
export interface Member {
  readonly process: SimProcess;
  readonly client: Client;
  readonly worker: EngineWorker | null;
}

/** The settings of a cluster. Lengths in ms. */
export interface ClusterConfig extends NetworkConfig {
  readonly workers: number;
  readonly clients: number;
  readonly maxRuns: number;
  readonly concurrency: number;
  readonly pollInterval: number;
  /** Mean time between two kills, freezes or closings of workers. */
  readonly disturbance: number;
}

/** What a {@link Cluster} is made of. */
export interface ClusterOptions {
  readonly seed: number;
  readonly scheduler: Scheduler;
  readonly network: Network;
  /** The store, before the network. */
  readonly world: World;
  /** What the workers execute. */
  readonly workflows: NonNullable<WorkerOptions["workflows"]>;
  readonly trace: Trace;
  readonly config: ClusterConfig;
  readonly on: (fault: Fault) => boolean;
  readonly fail: (error: unknown) => void;
  readonly lawBroken: (law: EngineLaw, message: string, runId: string | null) => Error;
  /** A process stands still until this time. */
  readonly onFrozen?: (until: number) => void;
  /** Whether code was deployed that does not follow the journals. */
  readonly mayDiverge: () => boolean;
}

const HOUR = 3_600_000;

/** How long a diverged run waits before it is tried again, in ms. */
const DIVERGENCE_RETRY = 5000;

/** Workers, which have faults, clients, and a driver that acts on them. */
export class Cluster {
  readonly #options: ClusterOptions;
  readonly #random: Random;
  /** One place per worker, empty while its process is down. */
  readonly #workers: (Member | null)[];
  readonly clients: readonly Member[];
  /** Acts on the others, and never fails. */
  readonly driver: SimProcess;
  #born = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    this.#random = randomOf(options.seed, "cluster");
    this.driver = newProcess(options.scheduler, "driver", false);
    this.clients = Array.from({ length: options.config.clients }, (_, i) => this.#boot(`client${i}`, false));
    this.#workers = Array.from({ length: options.config.workers }, () => null);
    for (let place = 0; place < this.#workers.length; place++) this.#start(place);
  }

  get workers(): readonly Member[] {
    return this.#workers.filter((member) => member !== null);
  }

  kill(process: SimProcess): void {
    if (process.state === "dead") return;
    const { scheduler, trace } = this.#options;
    trace.add(scheduler.now, process.name, "is killed");
    scheduler.kill(process);
    const place = this.#workers.findIndex((member) => member?.process === process);
    if (place < 0) return;
    this.#workers[place]?.worker?.abandon();
    this.#workers[place] = null;
    const down = this.#random.int(0, this.#options.config.leaseTtl * 2);
    scheduler.at(scheduler.now + down, this.driver, () => this.#start(place));
  }

  freeze(process: SimProcess, ms: number): void {
    if (process.state !== "running") return;
    const { scheduler, trace, onFrozen } = this.#options;
    trace.add(scheduler.now, process.name, `freezes for ${ms} ms`);
    process.state = "frozen";
    onFrozen?.(scheduler.now + ms);
    scheduler.at(scheduler.now + ms, this.driver, () => {
      if (process.state !== "frozen") return;
      trace.add(scheduler.now, process.name, "thaws");
      process.state = "running";
    });
  }

  /** Kills, freezes and closes workers until the faults end. */
  async disturb(): Promise<void> {
    const { config, on } = this.#options;
    while (on("kill") || on("freeze") || on("close") || on("clock")) {
      await pause(this.driver, this.#random.int(1, config.disturbance * 2));
      if (this.workers.length === 0) continue;
      const { process, worker } = this.#random.pick(this.workers);
      const fault = this.#random.pick(["kill", "freeze", "close", "clock"] as const);
      if (!on(fault)) continue;
      if (fault === "kill") this.kill(process);
      else if (fault === "clock") this.#setClock(process);
      else if (fault === "freeze") this.freeze(process, this.#random.int(1, config.leaseTtl * 4));
      else if (worker !== null) this.#close({ process, worker });
    }
  }

  /** Closes every worker; resolves when all have. */
  async shutDown(): Promise<void> {
    const open = new Set(this.workers);
    for (const member of open) {
      this.#options.scheduler.turn(member.process, () => {
        void member.worker?.close({ timeout: 5000 }).then(() => open.delete(member));
      });
    }
    // One that was closing already may end its process before it tells.
    while ([...open].some(({ process }) => process.state !== "dead")) await pause(this.driver, 100);
  }

  #setClock(process: SimProcess): void {
    const { scheduler, trace } = this.#options;
    process.skew = this.#random.pick([0, 500, 20_000, -20_000, HOUR, -HOUR]);
    trace.add(scheduler.now, process.name, `has a clock that is ${process.skew} ms ahead`);
  }

  #close({ process, worker }: { process: SimProcess; worker: EngineWorker }): void {
    const { scheduler, trace } = this.#options;
    const timeout = this.#random.pick([0, 100, 1000, 10_000]);
    scheduler.turn(process, () => {
      trace.add(scheduler.now, process.name, `closes within ${timeout} ms`);
      void worker.close({ timeout }).then(() => {
        trace.add(scheduler.now, process.name, "has closed");
        scheduler.turn(this.driver, () => this.kill(process));
      });
    });
  }

  #start(place: number): void {
    const { scheduler } = this.#options;
    const member = this.#boot(`w${place}.${this.#born++}`, true);
    this.#workers[place] = member;
    scheduler.turn(member.process, () => void member.worker?.start().catch(() => this.kill(member.process)));
  }

  #boot(name: string, works: boolean): Member {
    const { seed, scheduler, network, world: store, workflows, config } = this.#options;
    const process = newProcess(scheduler, name, works);
    const { on } = this.#options;
    if (on("clock") && randomOf(seed, `clock of ${name}`).chance(0.2)) this.#setClock(process);
    const random = randomOf(seed, name);
    const world = processWorld(network, store, process);
    const ids = seededIds(() => random.next());
    const { clock } = process;
    const client = new Client({ world, clock, ids, logger: "silent" });
    if (!works) return { process, client, worker: null };
    const worker = new EngineWorker({
      world,
      workflows,
      clock,
      ids,
      random: () => random.next(),
      logger: this.#logger(process),
      keepAlive: false,
      signals: [],
      leaseTtl: config.leaseTtl,
      maxRuns: config.maxRuns,
      concurrency: config.concurrency,
      // The bodies of the simulation do not look at their signals.
      maxDetached: 1000,
      divergenceRetry: DIVERGENCE_RETRY,
      pollInterval: config.pollInterval,
    });
    client.workers.add(worker);
    process.workerId = worker.id;
    return { process, client, worker };
  }

  #logger(process: SimProcess): Logger {
    const { scheduler, trace, fail, lawBroken, mayDiverge } = this.#options;
    const note = (level: string) => (message: string, fields?: Readonly<Record<string, unknown>>) => {
      const runId = typeof fields?.runId === "string" ? fields.runId : null;
      trace.add(scheduler.now, process.name, `${level}: ${message}`, runId, () =>
        String(fields?.error ?? ""),
      );
      if (level !== "error" || PoisonedRunError.is(fields?.error)) return;
      const diverged = message.startsWith("a run cannot go on");
      if (diverged && mayDiverge()) return;
      const law = diverged ? "no divergence" : "no engine errors";
      fail(lawBroken(law, `${message}: ${String(fields?.error ?? JSON.stringify(fields))}`, runId));
    };
    return { debug: () => {}, info: () => {}, warn: note("warning"), error: note("error") };
  }
}
