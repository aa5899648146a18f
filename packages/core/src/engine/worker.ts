import { keepProcessAlive, keptAlive, systemClock, systemRandom } from "../clock.ts";
import { guardedExecution } from "../context.ts";
import { hasBuiltIn, workflowsOfSteps } from "../define/built-ins.ts";
import { registry } from "../define/registry.ts";
import { installGuard } from "../determinism/index.ts";
import { WorkflowRuntimeError } from "../errors/index.ts";
import { systemIds } from "../ids.ts";
import { resolveLogger } from "../logger-choice.ts";
import { checkOptionNames } from "../option-names.ts";
import { outside } from "../outside.ts";
import type { Lease, NewEvent, World } from "../world/index.ts";
import type { DrainWatch } from "./drain-watch.ts";
import { ENGINE_QUEUE } from "./engine-queue.ts";
import type { WorkerHealth } from "./health.ts";
import { StoreClock } from "./leases/store-clock.ts";
import { RunPool } from "./run-pool.ts";
import { closeOnSignal } from "./shutdown-signals.ts";
import { catchStrayRejections } from "./stray-rejections.ts";
import { RetentionLoop, retentionLimits } from "./upkeep/retention.ts";
import { SignOfLife } from "./upkeep/sign-of-life.ts";
import {
  type CloseOptions,
  checkOptions,
  DEFAULTS,
  type WorkerOptions,
  workflowIdsOf,
} from "./worker-options.ts";

/** The worker: what a program creates to execute runs. Owns the lifecycle; the work is in {@link RunPool}. */

/** A process-local executor of runs. */
export interface Worker {
  /** Names the worker in leases. */
  readonly id: string;
  /** Where its runs are. */
  readonly world: World;
  /**
   * Opens the World and begins to execute runs. Idempotent; may be called again if the World could not be opened.
   *
   * @throws {WorkflowRuntimeError} if the worker was closed
   */
  start(): Promise<void>;
  /**
   * Whether it does its work, and the store answers it, for a health check of the process; `healthHandler` of `perdure/http` answers
   * with it. Asks no store: it tells what the claims have found.
   */
  health(): WorkerHealth;
  /** Stops claiming, finishes or hands over what is under way, and gives every lease back. Idempotent. */
  close(options?: CloseOptions): Promise<void>;
}

const DEFAULT_SIGNALS: readonly NodeJS.Signals[] = ["SIGTERM", "SIGINT"];

/** The engine's worker; `createWorker` gives it out as {@link Worker}. */
export class EngineWorker implements Worker {
  readonly id: string;
  readonly world: World;
  readonly leaseTtl: number;
  readonly #options: WorkerOptions;
  readonly #pool: RunPool;
  readonly #clock: StoreClock;
  readonly #retention: RetentionLoop;
  readonly #sign: SignOfLife | null;
  readonly #only: ReadonlySet<string> | null;
  #state: "new" | "open" | "closed" = "new";
  #opening: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #undo: (() => void)[] = [];

  /** `drains`: it works off what is due and no more, without a thread that keeps leases and without signs of life. */
  constructor(options: WorkerOptions, drains = false) {
    checkOptions(options);
    const ids = options.ids ?? systemIds();
    this.id = `worker_${ids.token()}`;
    this.world = options.world;
    this.leaseTtl = options.leaseTtl ?? DEFAULTS.leaseTtl;
    this.#options = options;
    this.#clock = new StoreClock(options.clock ?? systemClock);
    this.#only = workflowIdsOf(options.workflows);
    this.#pool = new RunPool({
      world: options.world,
      workerId: this.id,
      clock: this.#clock,
      ids,
      random: options.random ?? systemRandom,
      logger: resolveLogger(options.logger),
      queues: () => this.queues,
      concurrency: options.concurrency ?? DEFAULTS.concurrency,
      maxDetached:
        options.maxDetached ?? Math.max(options.concurrency ?? DEFAULTS.concurrency, DEFAULTS.leastDetached),
      maxRuns: options.maxRuns ?? DEFAULTS.maxRuns,
      leaseTtl: this.leaseTtl,
      stallTimeout: options.stallTimeout ?? this.leaseTtl * DEFAULTS.leasesUntilStalled,
      pollInterval: options.pollInterval ?? DEFAULTS.pollInterval,
      divergenceRetry: options.divergenceRetry ?? DEFAULTS.divergenceRetry,
      journalWarning: options.journalWarning ?? DEFAULTS.journalWarning,
      journalLimit: options.journalLimit ?? DEFAULTS.journalLimit,
      strictReplay: options.strictReplay ?? false,
      alwaysReplay: options.alwaysReplay ?? false,
      drains,
      keeperThread: options.clock === undefined && !drains,
      keepProcessAlive: options.clock === undefined ? keepProcessAlive : () => () => {},
    });
    const upkeep = {
      world: options.world,
      clock: this.#clock,
      ids,
      random: options.random ?? systemRandom,
      logger: resolveLogger(options.logger),
      workerId: this.id,
    };
    this.#retention = new RetentionLoop({ ...upkeep, limits: retentionLimits(options.retention) });
    const visible = options.clock === undefined && !drains;
    const interval = options.heartbeat ?? (visible ? DEFAULTS.heartbeat : null);
    const facts = { workflows: () => this.#workflows(), health: () => this.health() };
    this.#sign = interval === null ? null : new SignOfLife({ ...upkeep, interval, ...facts });
  }

  start(): Promise<void> {
    if (this.#closing !== undefined) {
      const message = `The worker ${this.id} was closed. Create another one with createWorker().`;
      return Promise.reject(new WorkflowRuntimeError(message));
    }
    // What it makes outlives the call: signal handlers, the keeper's thread, the store's connections.
    this.#opening ??= outside(() => this.#attended(() => this.#start())).catch((error: unknown) => {
      this.#opening = undefined;
      this.#undoAll();
      throw error;
    });
    return this.#opening;
  }

  close(options: CloseOptions = {}): Promise<void> {
    checkOptionNames<CloseOptions>("worker.close()", options, { timeout: true });
    this.#closing ??= this.#attended(() => this.#close(options.timeout ?? DEFAULTS.closeTimeout));
    return this.#closing;
  }

  /** The queues that it serves. */
  get queues(): readonly string[] {
    return [...this.#workflows(), ...workflowsOfSteps(), ENGINE_QUEUE];
  }

  /** Whether there is anything to do. */
  get drain(): DrainWatch {
    return this.#pool.drain;
  }

  /** Whether a new run of this workflow can be taken without a claim. */
  accepts(workflow: string): boolean {
    return this.#clock.known && this.executes(workflow) && this.#pool.room.accepts;
  }

  /** Keeps a place for a run that is being created with this worker's lease, until the returned function is called. */
  reserve(): () => void {
    return this.#pool.room.reserve();
  }

  health(): WorkerHealth {
    return this.#pool.health;
  }

  /** Whether it works: it was started, and is not closed or closing. */
  get open(): boolean {
    return this.#state === "open" && this.#closing === undefined;
  }

  /** Whether it takes runs of this workflow. */
  executes(workflow: string): boolean {
    return this.open && this.#executes(workflow);
  }

  /** Whether it holds this run's lease: it executes it, and hears first of its end. */
  holds(runId: string): boolean {
    return this.#pool.holds(runId);
  }

  /** When a lease that is asked for now runs out, in monotonic time. */
  leaseEnd(): number {
    return this.#clock.elapsed() + this.leaseTtl;
  }

  /** Takes a run that was created with this worker's lease. */
  adopt(lease: Lease, workflow: string, created: readonly NewEvent[], leaseUntil: number): void {
    this.#pool.adopt(lease, workflow, created, leaseUntil);
  }

  async #start(): Promise<void> {
    await this.world.open();
    if (this.#closing !== undefined) return;
    const { listeners } = registry;
    const onRegistered = (workflow: string): void => {
      if (this.#state === "open" && this.#executes(workflow)) this.#pool.wake();
    };
    listeners.add(onRegistered);
    this.#undo = [
      installGuard(guardedExecution),
      catchStrayRejections(),
      () => listeners.delete(onRegistered),
    ];
    if (this.#options.keepAlive ?? true) {
      if (this.#options.clock === undefined) this.#undo.push(keepProcessAlive());
    }
    for (const signal of this.#options.signals ??
      (this.#options.clock === undefined ? DEFAULT_SIGNALS : [])) {
      this.#undo.push(closeOnSignal(signal, () => this.close()));
    }
    await this.#pool.start();
    this.#retention.start();
    this.#sign?.start();
    this.#state = "open";
  }

  /** What the program awaits keeps its process alive; a worker that it did not ask for, and a test's clock, do not. */
  #attended(work: () => Promise<void>): Promise<void> {
    const { clock, keepAlive = true } = this.#options;
    return clock === undefined && keepAlive ? keptAlive(work) : work();
  }

  async #close(timeout: number): Promise<void> {
    if (this.#opening !== undefined) await this.#opening.catch(() => {});
    if (this.#state === "open") {
      // From this moment on no body begins.
      await Promise.all([this.#pool.close(timeout), this.#retention.close()]);
      await this.#sign?.close();
    }
    this.#state = "closed";
    this.#undoAll();
  }

  /** Its process was killed, in a simulation: it leaves nothing in the globals of the real one, and does nothing about its runs. */
  abandon(): void {
    this.#undoAll();
  }

  #undoAll(): void {
    for (const undo of this.#undo) undo();
    this.#undo = [];
  }

  #executes(workflow: string): boolean {
    if (hasBuiltIn(workflow)) return true;
    return registry.workflows.has(workflow) && (this.#only?.has(workflow) ?? true);
  }

  #workflows(): readonly string[] {
    return [...registry.workflows.keys()].filter((id) => this.#executes(id));
  }
}
