import type { PendingSystemStep } from "../interpreter/kinds/system-step.ts";
import type { Lease, NewEvent } from "../world/index.ts";
import { AfterWork } from "./after-end/after-work.ts";
import { Arrivals } from "./claims/arrivals.ts";
import { ClaimLoop } from "./claims/claim-loop.ts";
import { HandOver } from "./claims/hand-over.ts";
import { type Parking, parkDiverged } from "./claims/park-diverged.ts";
import { Quarantine } from "./claims/quarantine.ts";
import { Residents } from "./claims/residents.ts";
import { Room } from "./claims/room.ts";
import { UnreadableRuns } from "./claims/unreadable-runs.ts";
import { CommitLoop } from "./commits/commit-loop.ts";
import { CommitResults } from "./commits/commit-results.ts";
import { DrainWatch } from "./drain-watch.ts";
import { healthOf, type WorkerHealth } from "./health.ts";
import { giveBack } from "./leases/give-back.ts";
import { leaseKeeperOf } from "./leases/lease-keeper.ts";
import { LeaseRenewal } from "./leases/lease-renewal.ts";
import { MailReader } from "./mail-reader.ts";
import type { LiveRun } from "./run/live-run.ts";
import { RunAlarm } from "./run-alarm.ts";
import type { RunPoolOptions } from "./run-pool-options.ts";
import { Stalls } from "./stalls.ts";
import { StepDispatcher } from "./steps/step-dispatcher.ts";
import { SystemStepRunner } from "./system-steps/runner.ts";
import { storeCalls } from "./system-steps/store-calls.ts";
import { Tick } from "./tick.ts";
import { StoreWatch } from "./upkeep/store-watch.ts";

/** All runs that one worker has in memory, and the wiring of the loops that find, move, write and keep them. */
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
  /** Whether there is anything to do. */
  readonly drain: DrainWatch;
  readonly #stalls: Stalls;
  readonly #quarantine: Quarantine;
  readonly #handOver: HandOver;
  readonly #store: StoreWatch;
  readonly #unreadable: UnreadableRuns;
  #phase: "open" | "closing" | "closed" = "open";
  #unsubscribe: () => void = () => {};

  constructor(options: RunPoolOptions) {
    this.#options = options;
    const { clock, logger } = options;
    const touch = (run: LiveRun): void => this.#tick.touch(run);
    const store = storeCalls(options);
    const onSystemStep = (run: LiveRun, step: PendingSystemStep): void => this.#systemSteps.start(run, step);
    const onDiverged = (run: LiveRun, error: unknown, parking?: Parking): void =>
      parkDiverged(run, error, { ...options, touch }, parking);
    const unreadable = new UnreadableRuns({ ...options, giveBack: (run) => this.#handOver.leave(run) });
    this.#unreadable = unreadable;
    this.#systemSteps = new SystemStepRunner({ ...options, store, unreadable, onDiverged, onEnded: touch });
    this.#afterWork = new AfterWork({ ...options, store, unreadable });
    this.#tick = new Tick({
      clock,
      keeps: (run) => this.#handOver.keeps(run),
      onBegin: () => this.#residents.keeper?.flush(),
      onDiverged,
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
      ...options,
      onTaken: (run) => {
        this.drain.took(run.runId);
        this.#mail.taken(run);
        if (this.#quarantine.active) this.#handOver.add(run);
      },
      onReleased: () => {
        this.#quarantine.check();
        this.#claims.roomFreed();
        this.#handOver.check();
        this.drain.left();
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
      ...{ residents: this.#residents, quarantine: this.#quarantine, unreadable },
      touch,
      onEnded: (claimed) => void this.#afterWork.take(claimed).then(() => this.drain.left()),
      onLoaded: () => this.#claims.roomFreed(),
      onDiverged,
    });
    this.#store = new StoreWatch({ world: options.world.name, clock, logger, pause: options.pollInterval });
    this.#claims = new ClaimLoop({
      ...options,
      store: this.#store,
      owner: options.workerId,
      room: () => this.room.forClaims,
      busy: () => this.#steps.slots.queued > 0,
      leavesRuns: () => unreadable.any,
      journalRoom: () => this.#arrivals.journalRoom,
      cached: this.#residents.parked,
      newClaimId: () => options.ids.token(),
      beforeClaim: () => {
        this.#mail.claimBegins();
        return this.#renewal.catchUp();
      },
      idle: () => this.drain.idle,
      onLooked: (quiet) => this.drain.looked(quiet),
      onClaimed: (claimed, leaseUntil, now) => this.#arrivals.claimed(claimed, leaseUntil, now),
    });
    this.#renewal = new LeaseRenewal({
      ...options,
      runs: () => this.#residents.held(),
      onBeat: () => this.#residents.keeper?.beat(),
      onRenewed: (run, mailSeq) => {
        this.#mail.note(run, mailSeq);
        // Steps may have waited for it.
        if (run.hasWork) touch(run);
      },
      onLost: (run) => this.#results.lose(run),
    });
    const [residents, claims, others] = [this.#residents, this.#claims, [this.#arrivals, this.#afterWork]];
    this.drain = new DrainWatch({ ...options, residents, claims, others });
    this.#mail = new MailReader({ ...options, residents, claims, unreadable, onRead: touch });
    this.#stalls = new Stalls({ clock, logger, touch });
    this.#alarm = new RunAlarm({ clock, held: () => this.#residents.held(), onDue: touch });
    this.#steps = new StepDispatcher({
      ...options,
      renewal: this.#renewal,
      store,
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
      held: () => this.#residents.placesTaken - this.#steps.slots.lendingRuns,
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
      onParked: (dueAt) => this.#claims.parked(dueAt),
      ...{ onDiverged, touch },
      onRoom: () => this.#claims.roomFreed(),
    });
    this.#commits = new CommitLoop({
      ...options,
      handingOver: (run) => !this.#handOver.keeps(run),
      onResult: (commit, result) => this.#results.take(commit, result),
      onRefused: ({ run }, error) => {
        if (run.refused(error, clock.now() + options.divergenceRetry)) this.#tick.touch(run);
        else this.#residents.drop(run);
      },
    });
  }

  /** What {@link Worker.health} tells. */
  get health(): WorkerHealth {
    return healthOf({
      ...{ steps: this.#steps, store: this.#store, claims: this.#claims },
      heldRuns: this.#residents.heldCount,
      commitsStuck: this.#commits.stuck,
      now: this.#options.clock.now(),
      patience: this.#options.leaseTtl,
    });
  }

  async start(): Promise<void> {
    this.#residents.keeper = leaseKeeperOf(this.#options) ?? undefined;
    await this.#residents.keeper?.ready;
    this.#unsubscribe = this.#options.world.subscribe((hint) => {
      if (hint.type === "mail") this.#mail.hinted(hint.runId);
      else if (hint.type === "due" || hint.type === "changed") this.#claims.wake();
    });
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
  adopt(lease: Lease, workflow: string, created: readonly NewEvent[], leaseUntil: number): void {
    if (this.#phase === "closed") void giveBack(lease, created.length, this.#options);
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
    await this.#unreadable.close();
    this.#phase = "closed";
    this.#unsubscribe();
    for (const part of [this.#arrivals, this.#renewal, this.#commits, this.#alarm]) part.close();
    await this.#residents.keeper?.close();
    this.#residents.clear();
  }
}
