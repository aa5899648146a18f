import { LeaseLostError } from "../errors/index.ts";
import type { IdSource } from "../ids.ts";
import type { Logger } from "../logger.ts";
import type { CommitResult, Hint, Lease, NewEvent, World } from "../world/index.ts";
import { Arrivals } from "./arrivals.ts";
import { ClaimLoop } from "./claim-loop.ts";
import { CommitLoop } from "./commit-loop.ts";
import { completions } from "./completions.ts";
import { healthOf, type WorkerHealth } from "./health.ts";
import { LeaseKeeper } from "./lease-keeper.ts";
import { LeaseRenewal } from "./lease-renewal.ts";
import { MailReader } from "./mail-reader.ts";
import { Quarantine } from "./quarantine.ts";
import { Residents } from "./residents.ts";
import type { LiveRun, OutgoingCommit } from "./run/live-run.ts";
import { RunAlarm } from "./run-alarm.ts";
import { Stalls } from "./stalls.ts";
import { StepDispatcher } from "./step-dispatcher.ts";
import type { StoreClock } from "./store-clock.ts";
import { Tick } from "./tick.ts";

/** All runs that one worker has in memory, and the wiring of the loops that find, move, write and keep them. */

export interface RunPoolOptions {
  readonly world: World;
  readonly workerId: string;
  readonly clock: StoreClock;
  readonly ids: IdSource;
  readonly random: () => number;
  readonly logger: Logger;
  readonly workflows: () => readonly string[];
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

/** So long the store has at least to answer the commits that give runs back, in milliseconds. */
const SHORTEST_HANDOVER = 1000;

export class RunPool {
  readonly #options: RunPoolOptions;
  readonly #residents: Residents;
  readonly #arrivals: Arrivals;
  readonly #claims: ClaimLoop;
  readonly #renewal: LeaseRenewal;
  readonly #mail: MailReader;
  readonly #alarm: RunAlarm;
  readonly #steps: StepDispatcher;
  readonly #commits: CommitLoop;
  readonly #tick: Tick;
  readonly #stalls: Stalls;
  readonly #quarantine: Quarantine;
  /** Runs that are given back as soon as they can be, so that a suspect is alone. */
  readonly #handedOver: WeakSet<LiveRun> = new WeakSet();
  #phase: "open" | "closing" | "closed" = "open";
  /** Places of runs that are being created for this worker. */
  #reserved = 0;
  #onEmpty: (() => void) | undefined;
  /** No claim is under way any more. */
  #claimed = false;
  #unsubscribe: () => void = () => {};

  constructor(options: RunPoolOptions) {
    this.#options = options;
    const { world, clock, logger, leaseTtl } = options;
    const touch = (run: LiveRun): void => this.#tick.touch(run);
    this.#tick = new Tick({
      clock,
      keeps: (run) => this.#keeps(run),
      onBegin: () => this.#residents.keeper?.flush(),
      onDiverged: (run, error) => this.#diverge(run, error, false, null),
      onStep: (run, step) => this.#steps.start(run, step),
      onGathered: (run) => {
        if (!run.deliverable) this.#stalls.note(run);
        this.#commits.add(run);
        this.#alarm.note(run);
      },
      onOver: () => this.#commits.flush(),
    });
    this.#residents = new Residents({
      maxRuns: options.maxRuns,
      keepProcessAlive: options.keepProcessAlive,
      onTaken: (run) => {
        if (this.#quarantine.active) this.#handedOver.add(run);
      },
      onReleased: () => {
        this.#quarantine.check();
        this.#claims.roomFreed();
        this.#checkEmpty();
      },
    });
    this.#quarantine = new Quarantine({
      ...options,
      heldCount: () => this.#residents.heldCount,
      onBegun: () => this.#handOverOthers(),
      onOver: () => this.#claims.wake(),
    });
    this.#arrivals = new Arrivals({
      ...options,
      residents: this.#residents,
      quarantine: this.#quarantine,
      touch,
      onLoaded: () => this.#claims.roomFreed(),
      onDiverged: (run, error, lost, retryAt) => this.#diverge(run, error, lost, retryAt),
    });
    this.#claims = new ClaimLoop({
      ...options,
      owner: options.workerId,
      room: () => this.#roomForClaims,
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
      onLost: (run) => this.#lose(run),
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
    this.#commits = new CommitLoop({
      world,
      clock,
      logger,
      leaseTtl,
      handingOver: (run) => !this.#keeps(run),
      onResult: (commit, result) => this.#onCommitted(commit, result),
      onRefused: ({ run }, error) => {
        const { clock, divergenceRetry } = this.#options;
        if (run.refused(error, clock.now() + divergenceRetry)) this.#tick.touch(run);
        else this.#residents.drop(run);
      },
    });
  }

  /** Whether a run may be created for this worker. Not while steps wait for a slot: another worker may have one. */
  get accepts(): boolean {
    return this.#steps.slots.queued === 0 && this.#room - this.#claims.asked > 0;
  }

  /** Keeps a place for a run that is being created for this worker, until the returned function is called. */
  reserve(): () => void {
    this.#reserved++;
    let kept = true;
    return () => {
      if (!kept) return;
      kept = false;
      this.#reserved--;
      this.#claims.roomFreed();
    };
  }

  /** What {@link Worker.health} tells. */
  get health(): WorkerHealth {
    const { slots, detached } = this.#steps;
    return healthOf(slots, detached, this.#residents.heldCount);
  }

  /** How many more runs may be taken. Those whose steps wait for other runs do not count: they may wait for these. */
  get #room(): number {
    if (this.#phase !== "open" || this.#quarantine.active || this.#commits.stuck) return 0;
    if (this.#steps.detached.full) return 0;
    const held = this.#residents.heldCount - this.#steps.slots.lendingRuns + this.#reserved;
    return Math.max(this.#options.maxRuns - held, 0);
  }

  /** While steps wait for a slot, runs are taken as long as each one that waits has its turn in a round of all slots. */
  get #roomForClaims(): number {
    const { limit, queuedRuns } = this.#steps.slots;
    return queuedRuns === 0 ? this.#room : Math.min(this.#room, Math.max(limit - queuedRuns, 0));
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

  /** Looks for due runs now. */
  wake(): void {
    this.#claims.wake();
  }

  /** Takes a run that was created under a lease of this worker. */
  adopt(lease: Lease, workflow: string, created: NewEvent, leaseUntil: number): void {
    if (this.#phase === "closed") void this.#giveBack(lease);
    else this.#arrivals.created(lease, workflow, created, leaseUntil);
  }

  /** Gives every run back: at once where nothing is under way, else when it is, at the latest after `timeout` ms. */
  async close(timeout: number): Promise<void> {
    const { clock } = this.#options;
    this.#phase = "closing";
    const empty = new Promise<void>((resolve) => {
      this.#onEmpty = resolve;
    });
    void this.#claims
      .close()
      .then(() => this.#arrivals.settled())
      .then(() => {
        this.#claimed = true;
        this.#checkEmpty();
      });
    const suspect = this.#quarantine.takeWaiting();
    if (suspect !== null) this.#residents.drop(suspect);
    this.#giveUpAttempts("queued");
    const cancelHandOver = clock.setTimer(clock.now() + timeout, () => {
      this.#giveUpAttempts("all");
      // What even this cannot end, such as a store that does not answer, is left to the leases.
      clock.setTimer(clock.now() + Math.max(timeout / 2, SHORTEST_HANDOVER), () => this.#onEmpty?.());
    });
    this.#checkEmpty();
    await empty;
    cancelHandOver();
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

  /** Whether this worker goes on with the run, and does not just bring to an end what is under way. */
  #keeps(run: LiveRun): boolean {
    return this.#phase === "open" && !this.#handedOver.has(run);
  }

  /** Gives every run but the suspect back as soon as possible. */
  #handOverOthers(): void {
    for (const run of this.#residents.held()) {
      if (this.#quarantine.isSuspect(run)) continue;
      this.#handedOver.add(run);
      this.#steps.giveUp(run, "queued");
      this.#tick.touch(run);
    }
  }

  // What the loops report.

  #onCommitted(commit: OutgoingCommit, result: CommitResult): void {
    const { run, request } = commit;
    if (run.lease.ended) {
      if (result.outcome === "committed" && request.lease.type === "finish") {
        completions(this.#options.world).finished(run.runId);
      }
      return;
    }
    if (result.outcome !== "committed") {
      if (result.outcome === "out_of_step") {
        this.#options.logger.error(
          "the journal of a run is not as long as this worker has written it, so the run is given up here and read again: check " +
            "whether the store lost acknowledged writes, in a fail-over or a restore",
          {
            runId: run.runId,
            ...result,
          },
        );
      }
      this.#lose(run);
      return;
    }
    const told = this.#tellCommitted(commit, result);
    if (request.run.lostClaims === 0 && this.#quarantine.isSuspect(run)) this.#quarantine.end();
    if (request.lease.type === "finish") {
      this.#residents.release(run);
      completions(this.#options.world).finished(run.runId);
      return;
    }
    if (request.lease.type === "park") {
      this.#park(run, result.mailSeq > request.mailDone ? this.#options.clock.now() : request.lease.dueAt);
      return;
    }
    if (this.#keeps(run)) for (const step of commit.steps) this.#steps.start(run, step);
    this.#mail.note(run, result.mailSeq);
    // What has gathered meanwhile goes out, or the run parks.
    if (told || !run.turn.settled || !run.steps.busy || run.hasWork) this.#tick.touch(run);
  }

  #park(run: LiveRun, dueAt: number | null): void {
    // A suspect is alone the next time as well, so it comes back by way of the quarantine.
    const kept = this.#keeps(run) && !run.turn.diverged && !this.#quarantine.isSuspect(run);
    this.#residents.release(run);
    if (kept) this.#residents.park(run);
    else run.end();
    if (dueAt !== null) this.#claims.noteDue(dueAt);
  }

  #lose(run: LiveRun): void {
    this.#residents.drop(run, new LeaseLostError(run.runId, run.lease.epoch));
  }

  /** True if the run's code was told something and has to drain. */
  #tellCommitted(commit: OutgoingCommit, result: CommitResult & { outcome: "committed" }): boolean {
    try {
      return commit.run.committed(commit, result);
    } catch (error) {
      this.#diverge(commit.run, error, false, null);
      return false;
    }
  }

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

  #giveUpAttempts(which: "queued" | "all"): void {
    for (const run of this.#residents.held()) {
      this.#steps.giveUp(run, which);
      this.#tick.touch(run);
    }
  }

  #checkEmpty(): void {
    if (this.#residents.heldCount === 0 && this.#claimed) this.#onEmpty?.();
  }
}
