import type { IdSource } from "../ids.ts";
import type { PendingSystemStep } from "../interpreter/kinds/system-step.ts";
import type { Logger } from "../logger.ts";
import type { Hint, Lease, NewEvent, World } from "../world/index.ts";
import { AfterWork } from "./after-end/after-work.ts";
import { Arrivals } from "./claims/arrivals.ts";
import { ClaimLoop } from "./claims/claim-loop.ts";
import { HandOver } from "./claims/hand-over.ts";
import { Quarantine } from "./claims/quarantine.ts";
import { Residents } from "./claims/residents.ts";
import { Room } from "./claims/room.ts";
import { CommitLoop } from "./commits/commit-loop.ts";
import { CommitResults } from "./commits/commit-results.ts";
import { healthOf, type WorkerHealth } from "./health.ts";
import { LeaseKeeper } from "./leases/lease-keeper.ts";
import { LeaseRenewal } from "./leases/lease-renewal.ts";
import type { StoreClock } from "./leases/store-clock.ts";
import { MailReader } from "./mail-reader.ts";
import type { LiveRun } from "./run/live-run.ts";
import { RunAlarm } from "./run-alarm.ts";
import { Stalls } from "./stalls.ts";
import { StepDispatcher } from "./steps/step-dispatcher.ts";
import { SystemStepRunner } from "./system-steps/runner.ts";
import { storeCalls } from "./system-steps/store-calls.ts";
import { Tick } from "./tick.ts";

/** All runs that one worker has in memory, and the wiring of the loops that find, move, write and keep them. */

export interface RunPoolOptions {
  readonly world: World;
  readonly workerId: string;
  readonly clock: StoreClock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly queues: () => readonly string[];
  readonly concurrency: number;
  readonly maxRuns: number;
  readonly maxDetached: number;
  readonly leaseTtl: number;
  readonly stallTimeout: number;
  readonly pollInterval: number;
  readonly divergenceRetry: number;
  readonly strictReplay: boolean;
  readonly keepProcessAlive: () => () => void;
  /** Whether a thread may renew leases while the event loop is blocked; not under a clock of a test. */
  readonly keeperThread: boolean;
}

export class RunPool {
  readonly #options: RunPoolOptions;
  readonly #residents: Residents;
  readonly #arrivals: Arrivals;
  readonly #claims: ClaimLoop;
  readonly #renewal: LeaseRenewal;
  readonly #mail: MailReader;
  readonly #alarm: RunAlarm;
  readonly #steps: StepDispatcher;
  readonly #systemSteps: SystemStepRunner;
  readonly #afterWork: AfterWork;
  readonly #commits: CommitLoop;
  readonly #results: CommitResults;
  readonly #tick: Tick;
  /** How many more runs may be taken. */
  readonly room: Room;
  readonly #stalls: Stalls;
  readonly #quarantine: Quarantine;
  readonly #handOver: HandOver;
  #phase: "open" | "closing" | "closed" = "open";
  #unsubscribe: () => void = () => {};

  constructor(options: RunPoolOptions) {
    this.#options = options;
    const { world, clock, logger, leaseTtl } = options;
    const touch = (run: LiveRun): void => this.#tick.touch(run);
    const store = storeCalls(world, clock);
    const onSystemStep = (run: LiveRun, step: PendingSystemStep): void => this.#systemSteps.start(run, step);
    this.#systemSteps = new SystemStepRunner({
      clock,
      logger,
      store,
      onDiverged: (run, error) => this.#diverge(run, error, false, null),
      onEnded: touch,
    });
    this.#afterWork = new AfterWork({ ...options, store });
    this.#tick = new Tick({
      clock,
      keeps: (run) => this.#handOver.keeps(run),
      onBegin: () => this.#residents.keeper?.flush(),
      onDiverged: (run, error) => this.#diverge(run, error, false, null),
      onStep: (run, step) => this.#steps.start(run, step),
      onSystemStep,
      onGathered: (run) => {
        if (!run.deliverable) this.#stalls.note(run);
        this.#commits.add(run);
        this.#alarm.note(run);
      },
      onOver: () => this.#commits.flush(),
    });
    this.#handOver = new HandOver({
      clock,
      held: () => this.#residents.held(),
      heldCount: () => this.#residents.heldCount,
      giveUp: (run, which) => this.#steps.giveUp(run, which),
      touch,
    });
    this.#residents = new Residents({
      maxRuns: options.maxRuns,
      keepProcessAlive: options.keepProcessAlive,
      onTaken: (run) => {
        if (this.#quarantine.active) this.#handOver.add(run);
      },
      onReleased: () => {
        this.#quarantine.check();
        this.#claims.roomFreed();
        this.#handOver.check();
      },
    });
    this.#quarantine = new Quarantine({
      ...options,
      heldCount: () => this.#residents.heldCount,
      onBegun: () => this.#handOver.addOthers((run) => this.#quarantine.isSuspect(run)),
      onOver: () => this.#claims.wake(),
    });
    this.#arrivals = new Arrivals({
      ...options,
      residents: this.#residents,
      quarantine: this.#quarantine,
      touch,
      onEnded: (claimed) => this.#afterWork.take(claimed),
      onLoaded: () => this.#claims.roomFreed(),
      onDiverged: (run, error, lost, retryAt) => this.#diverge(run, error, lost, retryAt),
    });
    this.#claims = new ClaimLoop({
      ...options,
      owner: options.workerId,
      room: () => this.room.forClaims,
      busy: () => this.#steps.slots.queued > 0,
      journalRoom: () => this.#arrivals.journalRoom,
      cached: this.#residents.parked,
      newClaimId: () => options.ids.token(),
      beforeClaim: () => this.#renewal.catchUp(),
      idle: () => this.#residents.heldCount === 0,
      onClaimed: (claimed, leaseUntil, now) => this.#arrivals.claimed(claimed, leaseUntil, now),
    });
    this.#renewal = new LeaseRenewal({
      world,
      clock,
      logger,
      leaseTtl,
      runs: () => this.#residents.held(),
      onBeat: () => this.#residents.keeper?.beat(),
      onRenewed: (run, mailSeq) => {
        this.#mail.note(run, mailSeq);
        // Steps may have waited for it.
        if (run.hasWork) touch(run);
      },
      onLost: (run) => this.#results.lose(run),
    });
    this.#mail = new MailReader({ world, logger, onRead: touch });
    this.#stalls = new Stalls({ clock, logger, touch });
    this.#alarm = new RunAlarm({ clock, held: () => this.#residents.held(), onDue: touch });
    this.#steps = new StepDispatcher({
      ...options,
      renewal: this.#renewal,
      onEnded: (run) => {
        touch(run);
        this.#claims.roomFreed();
      },
      onRoom: () => this.#claims.roomFreed(),
    });
    this.room = new Room({
      maxRuns: options.maxRuns,
      shut: () =>
        this.#phase !== "open" || this.#quarantine.active || this.#commits.stuck || this.#steps.detached.full,
      held: () => this.#residents.heldCount - this.#steps.slots.lendingRuns,
      asked: () => this.#claims.asked,
      slots: this.#steps.slots,
      onFreed: () => this.#claims.roomFreed(),
    });
    this.#results = new CommitResults({
      ...options,
      residents: this.#residents,
      quarantine: this.#quarantine,
      keeps: (run) => this.#handOver.keeps(run),
      onStep: (run, step) => this.#steps.start(run, step),
      onSystemStep,
      onMail: (run, mailSeq) => this.#mail.note(run, mailSeq),
      onParked: (dueAt) => this.#claims.noteDue(dueAt),
      onDiverged: (run, error) => this.#diverge(run, error, false, null),
      touch,
    });
    this.#commits = new CommitLoop({
      world,
      clock,
      logger,
      leaseTtl,
      handingOver: (run) => !this.#handOver.keeps(run),
      onResult: (commit, result) => this.#results.take(commit, result),
      onRefused: ({ run }, error) => {
        const { clock, divergenceRetry } = this.#options;
        if (run.refused(error, clock.now() + divergenceRetry)) this.#tick.touch(run);
        else this.#residents.drop(run);
      },
    });
  }

  /** What {@link Worker.health} tells. */
  get health(): WorkerHealth {
    const { slots, detached } = this.#steps;
    return healthOf(slots, detached, this.#residents.heldCount);
  }

  async start(): Promise<void> {
    const { world, keeperThread } = this.#options;
    const { leaseKeeper } = world.capabilities;
    if (keeperThread && leaseKeeper !== null) {
      const keeper = new LeaseKeeper({ ...this.#options, locate: leaseKeeper });
      this.#residents.keeper = keeper;
      await keeper.ready;
    }
    this.#unsubscribe = world.subscribe((hint) => this.#onHint(hint));
    this.#renewal.start();
    this.#claims.wake();
  }

  /** Whether this run's lease is ours. */
  holds(runId: string): boolean {
    return this.#residents.heldRun(runId) !== undefined;
  }

  /** Looks for due runs now. */
  wake(): void {
    this.#claims.wake();
  }

  /** Takes a run that was created under a lease of this worker. */
  adopt(lease: Lease, workflow: string, created: NewEvent, leaseUntil: number): void {
    if (this.#phase === "closed") void this.#giveBack(lease);
    else this.#arrivals.created(lease, workflow, created, leaseUntil);
  }

  /** Gives every run back; see {@link HandOver.close}. */
  async close(timeout: number): Promise<void> {
    this.#phase = "closing";
    const arrived = this.#claims
      .close()
      .then(() => this.#arrivals.settled())
      .then(() => this.#afterWork.settled());
    const suspect = this.#quarantine.takeWaiting();
    if (suspect !== null) this.#residents.drop(suspect);
    await this.#handOver.close(timeout, arrived);
    this.#phase = "closed";
    this.#unsubscribe();
    this.#arrivals.close();
    this.#renewal.close();
    this.#commits.close();
    this.#alarm.close();
    await this.#residents.keeper?.close();
    this.#residents.clear();
  }

  /** A run that was created for this worker when it had closed. */
  async #giveBack({ runId, epoch, claimId }: Lease): Promise<void> {
    const { world, clock, logger } = this.#options;
    const now = clock.now();
    const lease = { type: "park", dueAt: now } as const;
    try {
      await world.commit([{ runId, epoch, claimId, seq: 1, events: [], mailDone: 0, run: {}, lease }], now);
    } catch (error) {
      logger.warn(
        "a run could not be given back to the store: a worker takes it up again when its lease is over",
        { runId, error },
      );
    }
  }

  // What the loops report.

  /** Parks a run that does not follow its journal. It is tried again later, with whatever code is there then. */
  #diverge(run: LiveRun, error: unknown, lost: boolean, retryAt: number | null): void {
    const { clock, logger, divergenceRetry } = this.#options;
    const { runId, workflow } = run;
    logger.error(
      retryAt === Number.POSITIVE_INFINITY
        ? "a run is parked until run.retry() is called, since workers that executed it were lost again and again"
        : "a run cannot go on with the code of this process: it is parked and tried again later, nothing is lost",
      { runId, workflow, error },
    );
    run.diverge(error, retryAt ?? clock.now() + divergenceRetry, lost);
  }

  #onHint(hint: Hint): void {
    switch (hint.type) {
      case "due":
      case "changed":
        this.#claims.wake();
        break;
      case "mail": {
        const run = this.#residents.heldRun(hint.runId);
        if (run !== undefined) this.#mail.look(run);
        break;
      }
      case "finished":
        break;
    }
  }
}
